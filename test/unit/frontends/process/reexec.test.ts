import { afterEach, describe, expect, it, vi } from "vitest";
import { restartForLongWork, restartWithoutJit } from "../../../../src/frontends/process/reexec.ts";

const PLATFORM = Object.getOwnPropertyDescriptor(process, "platform") ?? {};
const setPlatform = (value: string) => Object.defineProperty(process, "platform", { ...PLATFORM, value });

describe("a restart in another mode of the engine", () => {
  afterEach(() => {
    Object.defineProperty(process, "platform", PLATFORM);
    vi.restoreAllMocks();
  });

  it("is left out on another system than Linux, where a failed attempt prints a warning of the runtime", () => {
    const execve = vi
      .spyOn(process, "execve")
      .mockImplementation((() => undefined) as unknown as typeof process.execve & {});
    setPlatform("darwin");
    restartWithoutJit({ environment: {} }, []);
    restartForLongWork({ environment: {} }, []);
    expect(execve).not.toHaveBeenCalled();
    setPlatform("linux");
    restartWithoutJit({ environment: {} }, ["verify"]);
    expect(execve).toHaveBeenCalledWith("/proc/self/exe", [process.argv0, "verify"], expect.anything());
  });
});
