import { ApiError, ask, setCsrfToken } from "./client";
import type { Session } from "./types";

/** A service that knows no sessions needs no key. */
const OPEN: Session = { open: true, signedIn: true, owner: null, scopes: [], csrfToken: null, expiresAt: null };

function keep(session: Session): Session {
  setCsrfToken(session.csrfToken);
  return session;
}

export async function getSession(signal?: AbortSignal): Promise<Session> {
  try {
    return keep(await ask<Session>("/session", { signal }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return keep(OPEN);
    throw error;
  }
}

/** Gives the key once; from then on a cookie, that no script can read, stands for it. */
export async function signIn(key: string): Promise<Session> {
  return keep(await ask<Session>("/session", { method: "POST", headers: { Authorization: `Bearer ${key}` } }));
}

export async function signOut(): Promise<void> {
  await ask("/session", { method: "DELETE" });
}
