import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { signIn, signOut } from "../api/session";
import { useSession } from "../api/use-session";
import { Button } from "./button";

/**
 * Lets in whom the service knows, and asks the others for a key. The pages are drawn while that is being found out: on
 * most services nobody needs one.
 */
export function Gate({ children }: { children: ReactNode }) {
  const { data: session } = useSession();
  return session && !session.signedIn ? <SignIn /> : children;
}

function SignIn() {
  const id = useId();
  const client = useQueryClient();
  const [key, setKey] = useState("");
  const enter = useMutation({ mutationFn: () => signIn(key.trim()), onSuccess: () => client.resetQueries() });
  return (
    <form
      className="mx-auto max-w-md py-16 sm:py-24"
      onSubmit={(event) => {
        event.preventDefault();
        enter.mutate();
      }}
    >
      <h1 className="text-3xl font-semibold tracking-tight">This service asks for a key.</h1>
      <p className="mt-3 text-ink-soft">Whoever runs it can make one for you. It is not kept in this browser: a session is.</p>
      <label htmlFor={id} className="mt-6 mb-1.5 block font-semibold">
        API key
      </label>
      <input
        id={id}
        type="password"
        autoComplete="current-password"
        required
        value={key}
        onChange={(event) => setKey(event.target.value)}
        aria-invalid={enter.error !== null}
        aria-describedby={enter.error ? `${id}-wrong` : undefined}
        className="min-h-12 w-full rounded-lg border border-line-strong/70 bg-surface px-3 aria-invalid:border-bad"
      />
      {enter.error && (
        <p id={`${id}-wrong`} role="alert" className="mt-2 text-sm text-bad">
          {enter.error.message}
        </p>
      )}
      <Button type="submit" look="primary" className="mt-5 min-h-12 w-full" disabled={enter.isPending || key.trim() === ""}>
        Go in
      </Button>
    </form>
  );
}

export function SignOut() {
  const client = useQueryClient();
  const { data: session } = useSession();
  const leave = useMutation({ mutationFn: signOut, onSettled: () => client.resetQueries() });
  if (!session?.csrfToken) return null;
  return (
    <button
      type="button"
      onClick={() => leave.mutate()}
      className="min-h-11 rounded-md px-2 text-[0.9375rem] font-medium text-ink-soft hover:text-ink"
    >
      Sign out
    </button>
  );
}
