/** The adapters of port ViewerServer against their common suite. */
import { describe, expect, it } from 'vitest';
import { listenUws, loadLibrary } from '../../edge/socket-uws.js';
import { viewerServerSuite } from './viewer-server-suite.js';

describe('uWebSockets.js', () => {
  viewerServerSuite(listenUws);

  it('O-2 a machine without a native binary is told so in one line', async () => {
    const loading = loadLibrary(() => Promise.reject(new Error('cannot open\nshared object')));
    await expect(loading).rejects.toMatchObject({ code: 'platform' });
    await expect(loading).rejects.toThrow(
      /^[^\n]*Node v\d+[^\n]*Linux \(x64, arm64, glibc\)[^\n]*$/,
    );
  });
});
