import { afterAll } from "vitest";
import { haveServers } from "../../../support/node-disk.ts";

// What is cached in a server's memory counts and ends as what is cached on disk: the same tests.
afterAll(haveServers());
await import("./kept-ended.test.ts");
await import("./kept-withdrawn.test.ts");
await import("./kept-keeping.test.ts");
await import("./slow-pull.test.ts");
await import("./decide-undone-key.test.ts");
await import("./decide-key-age.test.ts");
