import type { Selection } from "../policy/select.ts";
import { reject } from "../rejection.ts";

/**
 * For a gate that gets a digest and never the tag: an image whose rule says `tag: match` cannot be judged there. Judged
 * without the tag, as a pull by digest is, a tag that somebody moved would pass unseen.
 *
 * @param because a clause: who does not say which tag is pulled
 * @throws Rejection tag.unsupported_here
 */
export function refuseUntoldTag(selection: Selection, because: string): void {
  if (selection.kind !== "judge" || selection.rule.requirement.tag !== "match") return;
  const { name } = selection.rule;
  reject("tag.unsupported_here", `rule "${name}" says tag: match, but ${because}`);
}
