/**
 * Owns the reading of reports on CDNs that come by POST, and the answers to them. Knows no room and no
 * quota. Rule: SPEC E-CDN-3.
 */
import { decodeReportBody, decodeText, isBroken } from '../src/wire/commands.js';
import type { ReportBody } from '../src/wire/schema.js';
import type { PostedEnd } from './cdn-reports.js';
import { errorReply, NO_STORE, type Headers } from './http-replies.js';
import type { HttpReply } from './viewer-server.js';

/** A report of the longest numbers and name has about 150 bytes. */
const BYTES_MAX = 1024;

/** The report in a body, or the answer that says why there is none. */
export function readReport(bytes: Buffer, headers: Headers): ReportBody | HttpReply {
  if (bytes.length > BYTES_MAX) {
    const message = `a report has at most ${BYTES_MAX} bytes`;
    const rule = `at most ${BYTES_MAX} bytes`;
    return errorReply({ status: 413, code: 'too_large', message, field: '', rule }, headers);
  }
  const text = decodeText(bytes);
  const body = typeof text === 'string' ? decodeReportBody(text) : text;
  if (!isBroken(body)) return body;
  const { field, rule, message } = body;
  return errorReply({ status: 400, code: 'invalid', message, field, rule }, headers);
}

/** 204 for a report that counts; else an error that says when to come again. */
export function reportReply({ end, retryAfterMs }: PostedEnd, headers: Headers): HttpReply {
  if (end === 'taken') return { status: 204, headers: { ...NO_STORE, ...headers }, body: '' };
  const refused =
    end === 'too_soon'
      ? { status: 429, code: 'rate_limited' as const, message: 'too many reports' }
      : { status: 503, code: 'unavailable' as const, message: 'too many CDNs in this second' };
  return errorReply({ ...refused, retryAfterMs }, headers);
}
