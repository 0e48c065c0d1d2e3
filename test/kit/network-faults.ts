/** Every fault that a network does to the connections of a viewer, as a proxy does them. */
import type { TcpProxy } from './tcp-proxy.js';

export interface NetworkFault {
  readonly name: string;
  readonly begin: (proxy: TcpProxy) => unknown;
  /** A link does not outlive it; what is slow only does. */
  readonly endsLinks: boolean;
  /** For the viewer: silence after which a link is asked and left. */
  readonly heartbeatMs: number;
}

const QUICK_MS = 400;

/** `TcpProxy.heal` ends each. */
export const NETWORK_FAULTS: readonly NetworkFault[] = [
  { name: 'cut', begin: (proxy) => proxy.cut(), endsLinks: true, heartbeatMs: QUICK_MS },
  {
    name: 'cut and refused',
    begin: (proxy) => proxy.refuse().then(() => proxy.cut()),
    ...{ endsLinks: true, heartbeatMs: QUICK_MS },
  },
  { name: 'stalled', begin: (proxy) => proxy.stall(), endsLinks: true, heartbeatMs: QUICK_MS },
  {
    name: 'half-open',
    begin: (proxy) => proxy.stall('down'),
    ...{ endsLinks: true, heartbeatMs: QUICK_MS },
  },
  // Slower than what is said, so that a backlog grows.
  {
    name: 'throttled',
    begin: (proxy) => proxy.throttle(2000),
    ...{ endsLinks: false, heartbeatMs: 8000 },
  },
];
