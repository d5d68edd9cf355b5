import type { Config } from "../../../core/config/config.ts";
import type { ImageReference } from "../../../core/oci/reference.ts";
import { reject } from "../../../core/rejection.ts";

/**
 * Refuses to push to ATCR, where a push does more than to store what is pushed.
 *
 * @param advice what to do instead
 * @throws Rejection input.malformed
 */
export function refuseAtcr({ host }: ImageReference, { atcrHosts }: Config, advice: string): void {
  if (!atcrHosts.includes(host)) return;
  const why = `on ${host} each push also writes a record into the ATProto repo of the account that pushes`;
  reject("input.malformed", `${why}; ${advice}`);
}
