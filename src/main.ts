/**
 * The entry point. Its first statement sets a failing exit status, which only a verdict or a finished command
 * replaces: the engine may end the script at any moment (its own watchdog, out of memory, a module that cannot be loaded),
 * and status 0 would allow an unverified image (spec 1.1). So nothing is imported before it, and the rest is loaded after.
 */
process.exitCode = 4;

try {
  const { start } = await import("./frontends/start.ts");
  // The first two are the runtime's and the program's names.
  await start(process.argv.slice(2));
} catch (error) {
  console.error(error);
  console.log("internal internal.error: the program could not be started; please report this");
  process.exit(4);
}

export {};
