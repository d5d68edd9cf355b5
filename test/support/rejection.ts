import { Rejection, type RejectionCode } from "../../src/core/rejection.ts";

/** The code of the rejection that the call throws, `none` if it returns; other errors propagate. */
export function codeOf(call: () => unknown): RejectionCode | "none" {
  try {
    call();
    return "none";
  } catch (error) {
    if (error instanceof Rejection) return error.code;
    throw error;
  }
}

/** The rejection that the call throws. */
export function rejectionOf(call: () => unknown): Rejection {
  try {
    call();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error("nothing was rejected");
}
