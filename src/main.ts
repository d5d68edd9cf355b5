/**
 * The entry point. Its first statement makes the process fail unless a verdict, or a command that finished, says
 * otherwise: the engine may end the script at any moment (its own watchdog, memory, a part that cannot be loaded),
 * and the status 0 would let an image through that nobody has verified (spec 1.1). So nothing is imported before
 * it, and the rest is loaded after it.
 */
process.exitCode = 4;

try {
  const { start } = await import("./frontends/start.ts");
  // The runtime puts its own name and the program's before the arguments.
  await start(process.argv.slice(2));
} catch (error) {
  console.error(error);
  console.log("internal internal.error: the program could not be started; please report this");
  process.exit(4);
}

export {};
