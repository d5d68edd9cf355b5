/** Pods for policies that look at images: every place where one can be named. */

export const DIGEST = `@sha256:${"a".repeat(64)}`;
export const GOOD = `atcr.io/alice/app:v1${DIGEST}`;

/** A container; without an image where none is given. */
export const container = (image?: string) => ({ name: "c", ...(image !== undefined && { image }) });

/** A pod with one good image, and what `spec` adds or replaces. */
export const podOf = (spec: object) => ({
  apiVersion: "v1",
  kind: "Pod",
  spec: { containers: [container(GOOD)], ...spec },
});

/** The specification of a pod with this image, by the place where it is named. */
export const places = (image?: string): Readonly<Record<string, object>> => ({
  containers: { containers: [container(GOOD), container(image)] },
  initContainers: { initContainers: [container(image)] },
  ephemeralContainers: { ephemeralContainers: [container(image)] },
  "image volumes": {
    volumes: [
      { name: "e", emptyDir: {} },
      { name: "v", image: image === undefined ? {} : { reference: image } },
    ],
  },
});

/** Images without a digest, or with what only looks like one. */
export const UNPINNED: readonly (string | undefined)[] = [
  "app",
  "app:v1",
  "app@sha256:",
  `app:v1@sha256:${"a".repeat(63)}`,
  `app:v1@sha512:${"a".repeat(64)}`,
  `app${DIGEST}0`,
  `app${DIGEST.toUpperCase()}`,
  `a${DIGEST}${DIGEST}`,
  DIGEST,
  `app\n${DIGEST}:x`,
  "",
  undefined,
];
