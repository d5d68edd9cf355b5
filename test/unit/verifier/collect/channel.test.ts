import { describe, expect, it } from "vitest";
import { Channel } from "../../../../src/verifier/collect/channel.ts";

describe("Channel", () => {
  it("hands over what is found as soon as it is there, and then ends", async () => {
    const channel = new Channel<number>();
    const gate = Promise.withResolvers<void>();
    channel.run(async () => {
      channel.push(1);
      await gate.promise;
      channel.push(2);
    });
    expect(await channel.receive()).toBe(1);
    const second = channel.receive();
    gate.resolve();
    expect(await second).toBe(2);
    expect(await channel.receive()).toBeUndefined();
  });

  it("does not wait for a task to end before it hands over what that found", async () => {
    const channel = new Channel<number>();
    const gate = Promise.withResolvers<void>();
    channel.run(async () => {
      await gate.promise;
      channel.push(1);
      await new Promise(() => {});
    });
    const received = channel.receive();
    gate.resolve();
    expect(await received).toBe(1);
  });

  it("ends at once where nothing runs, and when a task finds nothing", async () => {
    const channel = new Channel<number>();
    expect(await channel.receive()).toBeUndefined();
    channel.run(async () => {});
    expect(await channel.receive()).toBeUndefined();
  });

  it("waits for all tasks, also those that are started while it is waited for", async () => {
    const channel = new Channel<string>();
    const gate = Promise.withResolvers<void>();
    channel.run(async () => {});
    channel.run(async () => {
      await gate.promise;
      channel.run(async () => channel.push("late"));
    });
    const received = channel.receive();
    gate.resolve();
    expect(await received).toBe("late");
    expect(await channel.receive()).toBeUndefined();
  });

  it("has the receiver throw what a task throws", async () => {
    const channel = new Channel<number>();
    const hanging = new Promise<void>(() => {});
    channel.run(() => hanging);
    channel.run(async () => {
      throw new TypeError("a bug");
    });
    await expect(channel.receive()).rejects.toThrow(TypeError);
    channel.push(1);
    await expect(channel.receive()).rejects.toThrow(TypeError);
  });
});
