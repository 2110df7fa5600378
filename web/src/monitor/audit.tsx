import { useInfiniteQuery } from "@tanstack/react-query";
import { ago, moment } from "../lib/time";
import { Button } from "../ui/button";
import { getAudit } from "./api";

/** Who changed what for others, newest first. */
export function Audit() {
  const query = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: ({ pageParam, signal }) => getAudit(pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
  const lines = query.data?.pages.flatMap((page) => page.lines) ?? [];
  if (query.error) return <p className="text-bad">{query.error.message}</p>;
  if (query.data && lines.length === 0) return <p className="py-10 text-ink-soft">Nobody has changed anything yet.</p>;
  return (
    <>
      <ul>
        {lines.map((line, index) => (
          <li
            key={`${line.at} ${index}`}
            className="grid gap-x-6 border-b border-line py-2.5 text-[0.9375rem] sm:grid-cols-[10rem_minmax(0,1fr)_minmax(0,1fr)_auto]"
          >
            <span className="font-medium">{line.action}</span>
            <span className="truncate text-ink-soft">{line.target}</span>
            <span className="truncate text-ink-soft">{line.keyId ? `by key ${line.keyId}` : "without a key"}</span>
            <time dateTime={line.at} title={moment(line.at)} className="text-sm text-ink-faint">
              {ago(line.at)}
            </time>
          </li>
        ))}
      </ul>
      {query.hasNextPage && (
        <Button className="mt-5" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show older ones
        </Button>
      )}
    </>
  );
}
