/** Owns the text that `barrage all` prints when it is up: where to go next. Pure. */

export interface BannerParts {
  readonly version: string;
  readonly viewerPort: number;
  readonly studioPort: number;
  readonly room: string;
  /** A token with which the room can be watched and spoken in. */
  readonly viewerToken: string;
  /** Undefined where the text is not read by the operator alone (it goes to a log). */
  readonly apiKey: string | undefined;
  /** File in which the key made at first start is kept. */
  readonly secretsFile: string;
}

/** Lines for a terminal, with a line break at the end. */
export function allBanner(parts: BannerParts): string {
  const { version, viewerPort, studioPort, room, viewerToken, apiKey, secretsFile } = parts;
  const studio = `http://localhost:${studioPort}`;
  const query = new URLSearchParams({ room, token: viewerToken }).toString();
  const key =
    apiKey === undefined
      ? '"Authorization: Bearer $KEY"'
      : quoted(`Authorization: Bearer ${apiKey}`);
  const post = [
    `curl -sS ${quoted(`${studio}/v1/rooms/${encodeURIComponent(room)}/publications`)}`,
    `-H ${key}`,
    "-H 'Content-Type: application/json'",
    `-d ${quoted(JSON.stringify({ kind: 'notice', text: 'Hello from the studio' }))}`,
  ];
  const note =
    apiKey === undefined ? [`          (KEY is the secret under studio in ${secretsFile})`] : [];
  return [
    '',
    `barrage ${version} is up`,
    '',
    `  watch   ${studio}/#${query}`,
    `  post    ${post.join(' \\\n            ')}`,
    ...note,
    `  socket  ws://localhost:${viewerPort}/v1/ws?${query}`,
    `  API     ${studio}/docs`,
    '',
    '',
  ].join('\n');
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
