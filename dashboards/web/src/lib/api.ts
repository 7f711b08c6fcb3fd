// Requests to the server. A refusal keeps the server's own words: message and way out.
import { text } from "../text";
import { capital } from "./format";
import { asOf } from "./route";
import { router } from "./router.svelte";
import type { SqlAnswer } from "./types";

/** What went wrong with a request, ready to be shown. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when there was no answer at all. */
    readonly status: number,
    message: string,
    /** What to do about it; empty if nothing is known. */
    readonly hint: string,
  ) {
    super(message);
  }
}

/** A request is given up after this long: a page that waits for ever says nothing. */
const TIMEOUT_MS = 20_000;
/** A query may work longer than a page load, and so may a plant that starts with a new definition. */
const SLOW_TIMEOUT_MS = 120_000;
const SLOW = ["/api/sql", "/api/definition/apply", "/api/definition/revert"];

async function request<T>(path: string, init: RequestInit = {}, timeout = TIMEOUT_MS): Promise<T> {
  const limit = AbortSignal.timeout(timeout);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  let response: Response;
  try {
    response = await fetch(path, { ...init, signal, headers: { accept: "application/json", ...init.headers } });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw limit.aborted
      ? new ApiError(0, text.errors.timeout(timeout / 1000), text.errors.timeoutHint)
      : new ApiError(0, text.errors.unreachable, text.errors.unreachableHint);
  }
  if (response.status === 204) return undefined as T;
  if (response.ok && response.headers.get("content-type") === "application/octet-stream") return (await response.arrayBuffer()) as T;
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const error = (body as { error?: { message?: string; hint?: string } } | null)?.error;
    throw new ApiError(response.status, error?.message ?? text.errors.status(response.status), error?.hint ?? "");
  }
  if (body === null) throw new ApiError(response.status, text.errors.notJson, text.errors.notJsonHint);
  return body as T;
}

/** Reads a resource, as it was where the page looks at the past. */
export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => request<T>(asOf(path, router.seen), { signal: signal ?? null });

/** Sends a document. */
export const post = <T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> =>
  request<T>(
    path,
    {
      method: "POST",
      signal: signal ?? null,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    },
    SLOW.includes(path) ? SLOW_TIMEOUT_MS : TIMEOUT_MS,
  );

/** Asks in SQL. */
export const sql = (statement: string, signal?: AbortSignal): Promise<SqlAnswer> => post<SqlAnswer>("/api/sql", { sql: statement }, signal);

/** Ends or forgets a resource. */
export const remove = (path: string): Promise<void> => request<void>(path, { method: "DELETE" });

/** What a page says about a failed request. */
export interface Failure {
  message: string;
  hint: string;
  /** Whether it was refused for who asks: trying again is of no use. */
  forbidden?: boolean;
  /** Whether there is no such thing: no use either. */
  missing?: boolean;
}

/** The words for an error of any origin. */
export function explain(error: unknown): Failure {
  if (error instanceof ApiError) return { message: error.message, hint: error.hint, forbidden: error.status === 403, missing: error.status === 404 };
  return { message: error instanceof Error ? error.message : String(error), hint: "" };
}

/** The server writes its messages for terminals: small first letter, no full stop. */
export const sentence = (words: string): string => words && `${capital(words)}${/[.!?…]$/.test(words) ? "" : "."}`;

/** The same in one line. */
export function told(error: unknown): string {
  const { message, hint } = explain(error);
  return `${sentence(message)} ${sentence(hint)}`.trim();
}
