// Preloaded into npm by the Makefile, with PINNED_NODE such as v24.21.0. npm leaves an optional package out where its
// `engines` do not include the Node that npm runs under: on a machine with Node 18 the linter and the test runner would
// lack their native parts. What counts is the Node that runs them, which is the pinned one.
Object.defineProperty(process, "version", { value: process.env["PINNED_NODE"] });
