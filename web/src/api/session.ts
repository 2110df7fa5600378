import { ask, setCsrfToken } from "./client";
import type { Session } from "./types";

function keep(session: Session): Session {
  setCsrfToken(session.csrfToken);
  // `admin` includes the others.
  return session.scopes.includes("admin") ? { ...session, scopes: ["admin", "read", "upload"] } : session;
}

export async function getSession(signal?: AbortSignal): Promise<Session> {
  return keep(await ask<Session>("/session", { signal }));
}

/** Gives the key once; from then on a cookie, that no script can read, stands for it. */
export async function signIn(key: string): Promise<Session> {
  return keep(await ask<Session>("/session", { method: "POST", headers: { Authorization: `Bearer ${key}` } }));
}

export async function signOut(): Promise<void> {
  await ask("/session", { method: "DELETE" });
}
