/**
 * Owns what the SDK asks of the platform it runs on: whether anybody looks, whether there is a
 * network, and to be told when that changes. Missing parts (Node) mean seen and online.
 */

export interface Platform {
  isHidden(): boolean;
  isOnline(): boolean;
  /** Somebody asked for less data. */
  savesData(): boolean;
  /** `changed` is called when somebody looks again or the network is back; the answer ends it. */
  watch(changed: (what: 'online' | 'visible' | 'offline') => void): () => void;
}

/** The little of a browser that is used here; nothing of it is there in Node. */
interface Page {
  readonly document?: EventTarget & { readonly visibilityState?: string };
  readonly navigator?: {
    readonly onLine?: boolean;
    readonly connection?: { readonly saveData?: boolean };
  };
  readonly addEventListener?: EventTarget['addEventListener'];
  readonly removeEventListener?: EventTarget['removeEventListener'];
}

const page = globalThis as unknown as Page;

export const browserPlatform: Platform = {
  isHidden: () => page.document?.visibilityState === 'hidden',
  isOnline: () => page.navigator?.onLine !== false,
  savesData: () => page.navigator?.connection?.saveData === true,
  watch: (changed) => {
    const online = () => changed('online');
    const offline = () => changed('offline');
    const visible = () => {
      if (!browserPlatform.isHidden()) changed('visible');
    };
    page.addEventListener?.('online', online);
    page.addEventListener?.('offline', offline);
    page.document?.addEventListener('visibilitychange', visible);
    return () => {
      page.removeEventListener?.('online', online);
      page.removeEventListener?.('offline', offline);
      page.document?.removeEventListener('visibilitychange', visible);
    };
  },
};
