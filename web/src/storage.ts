// Browser storage that may be missing (private windows, blocked site data):
// then values live as long as the page.

export interface Box {
  get(key: string): string | null;
  set(key: string, value: string | null): void;
}

export function openBox(open: () => Storage, prefix = "barrage:"): Box {
  const memory = new Map<string, string>();
  let storage: Storage | null;
  try {
    storage = open();
  } catch {
    storage = null;
  }
  return {
    get(key) {
      try {
        return storage?.getItem(prefix + key) ?? memory.get(key) ?? null;
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key, value) {
      if (value === null) memory.delete(key);
      else memory.set(key, value);
      try {
        if (value === null) storage?.removeItem(prefix + key);
        else storage?.setItem(prefix + key, value);
      } catch {
        // Full or forbidden: the value in memory serves this page.
      }
    },
  };
}

export const settings = (): Box => openBox(() => localStorage);
export const secrets = (): Box => openBox(() => sessionStorage);
