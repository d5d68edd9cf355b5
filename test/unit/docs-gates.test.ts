import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { validatingAnswer } from "../../src/core/admission/admission-answer.ts";
import { parseAdmissionReview } from "../../src/core/admission/admission-request.ts";
import { providerVerifyAnswer } from "../../src/core/admission/provider-request.ts";
import { verifyOneAnswer } from "../../src/core/admission/verify-answer.ts";
import { ABSENT, AUDITED, digestOf, SIGNED, SILENT } from "../support/image-results.ts";
import { type Changeable, imageAnswer, recordedBytes } from "../support/recorded-admission/recorded-request.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/reference/gates.md"), "utf8");
const examples = Array.from(page.matchAll(/```json\n([\s\S]*?)```/g), ([, text = ""]): unknown => JSON.parse(text));

describe("docs/reference/gates.md", () => {
  it("shows answers as they are given", () => {
    const [busybox, app] = ["docker.io/library/busybox:1.37", "atcr.io/alice.example.com/app:v1"];
    const digest = digestOf("a1");
    expect(examples).toEqual([
      providerVerifyAnswer([busybox], [imageAnswer(busybox, ABSENT)]),
      providerVerifyAnswer([busybox], [imageAnswer(busybox, SILENT)]),
      verifyOneAnswer(app, [imageAnswer(app, SIGNED, { digest, pinned: `${app}@${digest}` })]).body,
    ]);
  });

  it("lists every audit annotation", () => {
    const pod = parseAdmissionReview(recordedBytes("pod-create-image-volume"));
    const answers = pod.images.map(({ image }, i) => imageAnswer(image, i === 0 ? AUDITED : SIGNED));
    const reviews: readonly Changeable[] = [
      validatingAnswer(pod, answers),
      validatingAnswer(pod, []),
      validatingAnswer(parseAdmissionReview(recordedBytes("rollout-create")), []),
      validatingAnswer(parseAdmissionReview(recordedBytes("pod-delete")), []),
    ];
    const keys = new Set(reviews.flatMap(({ response }) => Object.keys(response.auditAnnotations)));
    const [, table = ""] = page.split("| annotation | value |");
    const listed = Array.from((table.split("\n\n")[0] ?? "").matchAll(/^\| `(\w+)`/gm), ([, key = ""]) => key);
    expect(listed.toSorted()).toEqual([...keys].toSorted());
  });
});
