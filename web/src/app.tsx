import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link, Route, Switch } from "wouter";
import { ApiError } from "./api/client";
import { BatchPage, SharePage } from "./batch/batch-page";
import { BatchesPage } from "./batches/batches-page";
import { StudioPage } from "./studio/studio-page";
import { Gate } from "./ui/gate";
import { Shell } from "./ui/shell";
import { StatusProvider } from "./ui/status";

const MonitorPage = lazy(() => import("./monitor/monitor-page"));
const JobPage = lazy(() => import("./monitor/job-page"));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // What the service refuses, it refuses again; what it could not answer is asked again.
      retry: (failures, error) => failures < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      refetchOnWindowFocus: false,
    },
  },
});

function Nowhere() {
  return (
    <div className="py-20">
      <h1 className="text-3xl font-semibold tracking-tight">There is no page here.</h1>
      <p className="mt-3 text-ink-soft">
        Go to the <Link href="/" className="font-semibold text-accent underline underline-offset-4">studio</Link>.
      </p>
    </div>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={StudioPage} />
      <Route path="/batches" component={BatchesPage} />
      <Route path="/batches/:id">{({ id }) => <BatchPage key={id} id={id} />}</Route>
      <Route path="/monitor">
        <Suspense>
          <MonitorPage />
        </Suspense>
      </Route>
      <Route path="/monitor/jobs/:id">
        {({ id }) => (
          <Suspense>
            <JobPage key={id} id={id} />
          </Suspense>
        )}
      </Route>
      <Route component={Nowhere} />
    </Switch>
  );
}

export function App() {
  return (
    <QueryClientProvider client={client}>
      <StatusProvider>
        {(working) => (
          <Shell working={working}>
            <Switch>
              <Route path="/shares/:token">{({ token }) => <SharePage key={token} token={token} />}</Route>
              <Route>
                <Gate>
                  <Pages />
                </Gate>
              </Route>
            </Switch>
          </Shell>
        )}
      </StatusProvider>
    </QueryClientProvider>
  );
}
