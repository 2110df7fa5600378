import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";

interface Status {
  /** Says a sentence to those who hear the page. */
  say: (sentence: string) => void;
  working: boolean;
  setWorking: (working: boolean) => void;
}

const Context = createContext<Status>({ say: () => {}, working: false, setWorking: () => {} });

export function StatusProvider({ children }: { children: (working: boolean) => ReactNode }) {
  const [sentence, setSentence] = useState("");
  const [working, setWorking] = useState(false);
  const say = useCallback((next: string) => setSentence(next), []);
  const value = useMemo(() => ({ say, working, setWorking }), [say, working]);
  return (
    <Context value={value}>
      {children(working)}
      <div aria-live="polite" className="sr-only">
        {sentence}
      </div>
    </Context>
  );
}

export function useSay(): (sentence: string) => void {
  return useContext(Context).say;
}

/** Turns the mark while this part of the page works. */
export function useWorking(working: boolean): void {
  const { setWorking } = useContext(Context);
  useEffect(() => {
    setWorking(working);
    return () => setWorking(false);
  }, [working, setWorking]);
}
