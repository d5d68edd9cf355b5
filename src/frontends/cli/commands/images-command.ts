import { isatty } from "node:tty";
import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { subjectOf } from "../../../core/evidence/subject.ts";
import { reject } from "../../../core/rejection.ts";
import { type Answer, failureOf } from "../../../core/verify/answer.ts";
import type { Refusal } from "../../../core/verify/verdict.ts";
import type { Warning } from "../../../core/warning.ts";
import { denialOf } from "../../../io/fs/access.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import { Deadline } from "../../../io/process/deadline.ts";
import { loadConfig, loadPolicy } from "../../../io/settings/load-settings.ts";
import { asContainerdSees } from "../../../platform/containerd/containerd-environment.ts";
import { daemonAt } from "../../../platform/containerd/daemon.ts";
import { listImages, NoSuchNamespace, pullable } from "../../../platform/containerd/images.ts";
import { onlySocket } from "../../../platform/containerd/known-sockets.ts";
import { RequestCounts } from "../../../verifier/service/exchanges.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import { EXIT_STATUS_DENIED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { amount, detailLine, jsonText, reasonLine } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { aligned, folded, painted, type Screen, screenOf } from "../terminal/screen.ts";

/** Images verified at the same time: foreign services must not be flooded. */
const PARALLEL = 4;
/** Milliseconds to wait for containerd's list. */
const TIMEOUT = 30_000;
/** Milliseconds for the whole command: a node has some hundred images, and each may take a pull's deadline. */
const COMMAND_TIMEOUT = 3_600_000;
const STDERR = 2;

type Image = ReturnType<typeof pullable>[number];

/** An image, and the answer that a pull would get now. */
interface Judged {
  readonly image: Image;
  readonly answer: Answer;
}

/** `atcr-verify images`: which images would be refused if they were pulled now. */
export async function imagesCommand({ options }: LineOf<"images">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { refused, audited } = options;
  const address = onlySocket(options.address);
  // As containerd would: with its configuration and proxies, not this shell's.
  const environment = asContainerdSees(lifecycle.environment, daemonAt(address));
  const config = loadConfig(environment, options.config);
  const policy = loadPolicy(options.policy ?? config.trustPolicyPath);
  const isJson = options.output === "json";
  const images = await list(address, options.namespace?.split(","), (denied) => {
    const json = {
      images: [],
      judged: 0,
      of: 0,
      ...counted([]),
      warnings: [{ code: "access.denied", message: denied } satisfies Warning],
    };
    return lifecycle.print(isJson ? jsonText(json) : detailLine(denied), EXIT_STATUS_DENIED);
  });
  const isTold = options.progress || isatty(STDERR);
  const report = isJson ? toJson : textFor(screenOf(lifecycle.environment));
  const isShown = ({ answer }: Judged): boolean =>
    refused || audited ? (refused && answer.outcome !== "allow") || (audited && wouldBe(answer) !== undefined) : true;
  const judged: Judged[] = [];
  // If interrupted, it prints what it has found by then: it may have worked for long.
  // Object.values leaves out images that are still in progress.
  lifecycle.render = (answer) => report(Object.values(judged), isShown, images.length, answer);
  lifecycle.answerInterrupts();
  const verifier = new Verifier({ config, policy, environment, isBatch: true });
  lifecycle.atEnd(() => verifier.close());
  await judgeAll(images, verifier, config, lifecycle, judged, (done) => {
    if (isTold) lifecycle.diagnose(`${done} of ${images.length} images verified`);
  });
  lifecycle.print(report(judged, isShown, images.length), judged.some(isRefused) ? 1 : 0);
}

/** @param deny called if this user lacks permission */
async function list(
  address: string,
  namespaces: readonly string[] | undefined,
  deny: (why: string) => never,
): Promise<readonly Image[]> {
  try {
    return pullable(await listImages(address, namespaces, TIMEOUT));
  } catch (error) {
    const denied = denialOf(error, "read", address);
    if (denied !== undefined) deny(denied);
    if (hasCode(error, "ENOENT") || hasCode(error, "ECONNREFUSED")) {
      const advice = "is it running? otherwise name its socket with --address";
      return reject("config.invalid", `containerd does not answer at ${address}; ${advice}`, error);
    }
    const advice =
      error instanceof NoSuchNamespace
        ? "name an existing one"
        : "if it runs with another socket, name that with --address";
    return reject(
      "config.invalid",
      `the images of containerd at ${address} cannot be listed: ${(error as Error).message}; ${advice}`,
      error,
    );
  }
}

async function judgeAll(
  images: readonly Image[],
  verifier: Verifier,
  config: Config,
  lifecycle: ProcessLifecycle,
  judged: Judged[],
  progress: (done: number) => void,
): Promise<void> {
  const waiting = images.entries();
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const [i, image] of waiting) {
      judged[i] = { image, answer: await judgeImage(image, verifier, config, lifecycle) };
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** As at a pull, with a pull's deadline: the whole command may take an hour. */
async function judgeImage(
  image: Image,
  verifier: Verifier,
  config: Config,
  lifecycle: ProcessLifecycle,
): Promise<Answer> {
  try {
    const subject = subjectOf(image.name, undefined, { digest: image.digest, mediaType: image.mediaType });
    const deadline = new Deadline(performance.now() + config.deadline);
    const { answer } = await verifier.verify(subject, {
      ...sessionOf(lifecycle),
      deadline,
      requestCounts: new RequestCounts(),
      ruleSelected: () => {},
    });
    return answer;
  } catch (error) {
    return failureOf(error);
  }
}

/** Includes images allowed only by audit: they will be refused once the rule enforces. */
function isRefused({ answer }: Judged): boolean {
  return answer.outcome !== "allow" || answer.because.kind === "audited";
}

function codeOf(answer: Answer): string {
  return answer.outcome === "allow" ? answer.because.kind : answer.code;
}

/** The refusal that it would get under enforce. */
function wouldBe(answer: Answer): Refusal | undefined {
  return answer.outcome === "allow" && answer.because.kind === "audited" ? answer.because.would : undefined;
}

/**
 * @param judged in the order of their names
 * @param of the number of images
 * @param end why the command ended early
 */
type Report = (judged: readonly Judged[], isShown: (one: Judged) => boolean, of: number, end?: Answer) => string;

const textFor =
  (screen: Screen): Report =>
  (judged, isShown, of, end) => {
    const shown = judged.filter(isShown);
    const lines = screen.width === Number.POSITIVE_INFINITY ? shown.map(lineOf) : blocks(shown, screen);
    const list = (counts: Readonly<Record<string, number>>): string =>
      Object.entries(counts)
        .map(([what, count]) => `${count} ${what}`)
        .join(", ");
    const { counts, would } = counted(judged);
    const many = end === undefined ? amount(of, "image") : `${judged.length} of ${amount(of, "image")} verified`;
    const audited = list(would) && `; would be refused under enforce: ${list(would)}`;
    const summary = folded(`${printable(`${many}: ${list(counts) || "none"}${audited}`)}\n`, screen);
    return `${lines.join("")}${summary}${end ? folded(reasonLine(end), screen) : ""}`;
  };

const COLOURS = { refused: "red", audited: "yellow", allowed: "green" } as const;

function verdictOf(answer: Answer): keyof typeof COLOURS {
  return answer.outcome !== "allow" ? "refused" : wouldBe(answer) ? "audited" : "allowed";
}

function lineOf({ image, answer }: Judged): string {
  return detailLine(`${verdictOf(answer)}  ${image.name}  ${image.digest}  ${reasonLine(answer).trimEnd()}`);
}

/** A table; below each row that is not allowed, the digest and the reason. */
function blocks(shown: readonly Judged[], screen: Screen): readonly string[] {
  const rows = aligned(
    shown.map(({ image, answer }) => [
      verdictOf(answer),
      printable(image.name),
      (wouldBe(answer) ?? { code: codeOf(answer) }).code,
    ]),
    screen,
  );
  return shown.map(({ image, answer }, i) => {
    const verdict = verdictOf(answer);
    const details = verdict === "allowed" ? [] : [image.digest, reasonLine(answer).trimEnd()];
    const below = details.map((detail) => folded(detailLine(`  ${detail}`), screen, 0));
    return `${painted(rows[i] ?? "", COLOURS[verdict], screen)}\n${below.join("")}`;
  });
}

const toJson: Report = (judged, isShown, of, end) =>
  jsonText({
    images: judged.filter(isShown).map(({ image, answer }) => {
      const would = wouldBe(answer);
      return {
        namespaces: image.namespaces,
        image: image.name,
        digest: image.digest,
        outcome: answer.outcome,
        code: codeOf(answer),
        reason: reasonLine(answer).trimEnd(),
        ...(would && { would: { outcome: would.outcome, code: would.code } }),
      };
    }),
    judged: judged.length,
    of,
    ...counted(judged),
    ...(end && { ended: { code: codeOf(end), reason: reasonLine(end).trimEnd() } }),
  });

/** Counts by code; for audited images also by the code under enforce. */
function counted(judged: readonly Judged[]) {
  const counts: Record<string, number> = {};
  const would: Record<string, number> = {};
  const add = (to: Record<string, number>, code: string): void => {
    to[code] = (to[code] ?? 0) + 1;
  };
  for (const { answer } of judged) {
    add(counts, codeOf(answer));
    const refusal = wouldBe(answer);
    if (refusal !== undefined) add(would, refusal.code);
  }
  return { counts, would };
}
