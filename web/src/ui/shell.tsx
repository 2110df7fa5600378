import type { ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { type Theme, setTheme, useTheme } from "../lib/theme";
import { DeviceIcon, MoonIcon, SunIcon } from "./icons";
import { SignOut } from "./gate";
import { Mark } from "./mark";

const THEMES = [
  { value: "system", label: "Colours of this device", Icon: DeviceIcon },
  { value: "light", label: "Light", Icon: SunIcon },
  { value: "dark", label: "Dark", Icon: MoonIcon },
] as const satisfies readonly { value: Theme; label: string; Icon: unknown }[];

function ThemeSwitch() {
  const theme = useTheme();
  return (
    <fieldset className="flex rounded-lg bg-sunken p-0.5">
      <legend className="sr-only">Colours</legend>
      {THEMES.map(({ value, label, Icon }) => (
        <label key={value} className="relative cursor-pointer" title={label}>
          <input
            type="radio"
            name="theme"
            value={value}
            checked={theme === value}
            onChange={() => setTheme(value)}
            className="peer absolute inset-0 cursor-pointer appearance-none rounded-md"
          />
          <span className="grid size-8 place-items-center rounded-md text-ink-faint peer-checked:bg-surface peer-checked:text-ink peer-checked:shadow-sm">
            <Icon width={17} height={17} />
            <span className="sr-only">{label}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function NavLink({ href, children }: { href: string; children: ReactNode }) {
  const [here] = useRoute(href);
  return (
    <Link
      href={href}
      aria-current={here ? "page" : undefined}
      className="flex min-h-11 items-center rounded-md px-2 text-[0.9375rem] font-medium text-ink-soft hover:text-ink aria-[current=page]:text-ink aria-[current=page]:underline aria-[current=page]:decoration-accent aria-[current=page]:decoration-2 aria-[current=page]:underline-offset-8 sm:px-3"
    >
      {children}
    </Link>
  );
}

/** What every page stands in: name, ways, colours. */
export function Shell({ working, children }: { working: boolean; children: ReactNode }) {
  return (
    <div className="mx-auto flex min-h-dvh w-full max-w-7xl flex-col px-4 sm:px-6 lg:px-10">
      <a
        href="#main"
        className="sr-only rounded-md bg-surface px-4 py-2 font-semibold focus:not-sr-only focus:absolute focus:top-3 focus:left-3 focus:z-50"
      >
        Skip to content
      </a>
      <header className="flex min-h-16 items-center gap-1 py-2 sm:gap-3">
        <Link href="/" className="-ml-1 mr-auto flex min-h-11 items-center gap-2.5 rounded-md px-1">
          <Mark className="size-7" turning={working} />
          <span className="text-lg font-bold tracking-tight max-[26rem]:sr-only">Pixelmill</span>
        </Link>
        <nav aria-label="Pages" className="-mr-2 flex sm:-mr-3">
          <NavLink href="/">Studio</NavLink>
          <NavLink href="/batches">Batches</NavLink>
          <NavLink href="/monitor">Monitor</NavLink>
          <a
            href="/docs"
            className="flex min-h-11 items-center rounded-md px-2 text-[0.9375rem] font-medium text-ink-soft hover:text-ink sm:px-3"
          >
            API
          </a>
        </nav>
        <SignOut />
      </header>
      <main id="main" tabIndex={-1} className="flex-1 pb-16 outline-none">
        {children}
      </main>
      <footer className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3 border-t border-line py-5 text-sm text-ink-faint">
        <p>Pixelmill runs where you put it: your photos stay there.</p>
        <ThemeSwitch />
      </footer>
    </div>
  );
}
