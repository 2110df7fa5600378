import { useQuery } from "@tanstack/react-query";
import { getSession } from "./session";

export function useSession() {
  return useQuery({ queryKey: ["session"], queryFn: ({ signal }) => getSession(signal), staleTime: 5 * 60_000 });
}
