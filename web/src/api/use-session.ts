import { useQuery } from "@tanstack/react-query";
import { getSession } from "./session";

export const sessionKey = ["session"] as const;

export function useSession() {
  return useQuery({ queryKey: sessionKey, queryFn: ({ signal }) => getSession(signal), staleTime: 5 * 60_000 });
}
