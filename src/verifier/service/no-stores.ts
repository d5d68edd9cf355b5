import { NO_HISTORY } from "../../core/verify/signer-history.ts";
import type { Stores } from "./open-stores.ts";

/** Stores that remember nothing and touch no folder: rollbacks are not detected, and each signer's identity is fetched. */
export const NO_STORES: Stores = {
  loadHistory: async () => NO_HISTORY,
  recordObservation: async () => {},
  provenTime: () => ({}),
  recordTime: async () => {},
  outside: async () => undefined,
  cache: {
    holders: () => [],
    find: () => undefined,
    isInvalidated: () => false,
    keep: async () => {},
    drop: async () => 0,
    findIdentity: () => undefined,
    keepIdentity: async () => {},
    findTag: () => undefined,
    keepTag: async () => {},
    dropTag: async () => {},
    findOwner: () => undefined,
    keepOwner: async () => {},
    dropOwner: async () => {},
  },
  isCacheShared: () => false,
};
