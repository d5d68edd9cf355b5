import { claimedHandle, isHandle } from "../atproto/handle.ts";
import { reject, rejectionOf } from "../rejection.ts";
import type { CheckInput } from "./check-facts.ts";
import type { Check, SignatureFacts } from "./verdict.ts";

/**
 * Checks that the signature is for this image name (spec 5.6, 5.8): its repository, handle and tag. A definite mismatch
 * takes precedence over a missing answer.
 *
 * @returns the checks that applied
 * @throws Rejection record.wrong_repository, image.owner_mismatch, handle.unreachable, tag.absent, tag.mismatch, or the
 * code of the gap for the handle or tag
 */
export function checkName(facts: SignatureFacts, question: CheckInput): readonly Check[] {
  const done: Check[] = [];
  const found = [checkRepository, checkOwner, checkTag].flatMap(
    (check) => rejectionOf(() => done.push(...check(facts, question))) ?? [],
  );
  const first = found.find(({ kind }) => kind === "deny") ?? found[0];
  if (first !== undefined) throw first;
  return done;
}

function checkRepository({ claim }: SignatureFacts, { subject, rule, atcrHosts, atcr }: CheckInput): readonly Check[] {
  const { repository } = rule.requirement;
  if (repository === "any") return [];
  const { host, path } = subject.name;
  if (repository !== "match") {
    if (!repository.includes(claim.repository)) {
      reject("record.wrong_repository", `the record is for "${claim.repository}", expected ${repository.join(" or ")}`);
    }
    return ["repository"];
  }
  const matches = atcrHosts.includes(host)
    ? atcr?.repository === claim.repository
    : path === claim.repository || path.endsWith(`/${claim.repository}`);
  if (!matches)
    reject("record.wrong_repository", `the record is for "${claim.repository}", but the image is ${host}/${path}`);
  return ["repository"];
}

/** In both directions: the identity claims the handle, and the handle resolves to the identity. */
function checkOwner({ signer, handles }: SignatureFacts, question: CheckInput): readonly Check[] {
  const { subject, atcr, asksOwner, atcrHosts, owner, gaps } = question;
  const { host, path } = subject.name;
  if (!asksOwner) return [];
  const handle = atcr?.handle;
  if (handle === undefined || !isHandle(handle)) {
    reject("image.owner_mismatch", `${host}/${path} contains no handle; only names on ${atcrHosts.join(", ")} do`);
  }
  const claimed = claimedHandle(handles);
  if (claimed !== handle) {
    reject("image.owner_mismatch", `${signer} claims ${claimed ?? "no handle"}, but the image's name has ${handle}`);
  }
  if (owner?.handle !== handle) {
    const gap = gaps.find(({ service }) => service === "handle");
    reject(gap?.code ?? "handle.unreachable", gap?.detail ?? `the owner of the handle ${handle} is unknown`);
  }
  if (owner.did !== signer) {
    const target = owner.did ?? "no DID";
    reject("image.owner_mismatch", `the handle ${handle} resolves to ${target}, not to ${signer} (${owner.source})`);
  }
  return ["owner"];
}

function checkTag({ signer, tag, claim }: SignatureFacts, { subject, rule, atcr, gaps }: CheckInput): readonly Check[] {
  if (rule.requirement.tag === "any") return [];
  const { name } = subject;
  if (subject.tag === undefined) {
    // The name has a digest, which cannot be moved.
    if (name.digest !== undefined) return [];
    reject("tag.absent", `${name.host}/${name.path} has neither a tag nor a digest`);
  }
  if (tag === undefined) {
    const gap = gaps.find((one) => one.service === "pds" && one.signer === signer);
    reject(gap?.code ?? "pds.unreachable", gap?.detail ?? notSaved(subject.tag));
  }
  if ("code" in tag) reject(tag.code, `tag "${subject.tag}": ${tag.detail}`);
  if (tag.claim === undefined) reject("tag.absent", `the repo of ${signer} has no record ${tag.address}`);
  const repository = atcr?.repository ?? claim.repository;
  if (tag.claim.repository !== repository || tag.claim.tag !== subject.tag) {
    const found = `"${tag.claim.repository}:${tag.claim.tag}"`;
    reject("tag.mismatch", `the record ${tag.address} is for ${found}, expected "${repository}:${subject.tag}"`);
  }
  return ["tag"];
}

/** Evidence with neither a tag record nor a gap for it: it was saved under a rule that does not check the tag. */
function notSaved(tag: string): string {
  return `the saved evidence has no record of the tag "${tag}"; save it again under a rule with "tag: match"`;
}
