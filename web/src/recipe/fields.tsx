import { createContext, type ReactNode, useContext, useId, useState } from "react";
import { withValue } from "./edit";
import { type Field, words } from "./schema";

/** The place in the recipe that the service found wrong, as a JSON pointer, and what is wrong with it. */
export interface Fault {
  pointer: string;
  detail: string;
}

export const FaultContext = createContext<Fault | null>(null);

const BOX =
  "min-h-10 w-full rounded-md border border-line-strong/70 bg-surface px-2.5 text-[0.9375rem] placeholder:text-ink-faint aria-invalid:border-bad";

interface Props<T> {
  fields: readonly Field[];
  value: T;
  pointer: string;
  onChange: (value: T) => void;
}

/** Controls for the values of one step or output: the first ones at once, the others when asked for. */
export function Fields<T extends object>({ fields, value, pointer, onChange }: Props<T>) {
  const own = value as Record<string, unknown>;
  const first = fields.filter((field, index) => index < 4 || field.required || own[field.key] !== undefined);
  const more = fields.filter((field) => !first.includes(field));
  const draw = (field: Field) => (
    <Row
      key={field.key}
      field={field}
      value={own[field.key]}
      pointer={`${pointer}/${field.key}`}
      onChange={(next) => onChange(withValue(value, field.key, next))}
    />
  );
  return (
    <>
      {first.length > 0 && <div className="grid grid-cols-2 gap-x-3 gap-y-3">{first.map(draw)}</div>}
      {more.length > 0 && (
        <details className="mt-2">
          <summary className="inline-flex min-h-9 items-center text-sm font-medium text-ink-soft underline decoration-line-strong underline-offset-4">
            More
          </summary>
          <div className="mt-2 grid grid-cols-2 gap-x-3 gap-y-3">{more.map(draw)}</div>
        </details>
      )}
    </>
  );
}

interface RowProps {
  field: Field;
  value: unknown;
  pointer: string;
  onChange: (value: unknown) => void;
}

function Row({ field, value, pointer, onChange }: RowProps) {
  const id = useId();
  const fault = useContext(FaultContext);
  const wrong = fault && (fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`)) ? fault.detail : null;
  const { control, label, help } = field;
  const common = {
    id,
    title: help,
    "aria-invalid": wrong !== null,
    "aria-describedby": wrong ? `${id}-wrong` : undefined,
    required: field.required,
  };
  const body = ((): ReactNode => {
    switch (control.kind) {
      case "number":
        return <NumberBox {...common} field={field} value={value} onChange={onChange} />;
      case "choice":
        return (
          <select
            {...common}
            value={value === undefined ? "" : String(value)}
            onChange={(event) => onChange(event.target.value || undefined)}
            className={BOX}
          >
            {!field.required && <option value="">{standardName(field)}</option>}
            {control.options.map((option) => (
              <option key={option}>{option}</option>
            ))}
          </select>
        );
      case "switch":
        return (
          <select
            {...common}
            value={value === undefined ? "" : String(value)}
            onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value === "true")}
            className={BOX}
          >
            <option value="">{standardName(field)}</option>
            <option value="true">yes</option>
            <option value="false">no</option>
          </select>
        );
      case "colour":
        return (
          <span className="flex gap-2">
            <input
              type="color"
              aria-label={`${label}, choose`}
              value={typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value) ? value : String(field.standard)}
              onChange={(event) => onChange(event.target.value)}
              className="h-10 w-10 shrink-0 rounded-md border border-line-strong/70 bg-surface p-1"
            />
            <TextBox {...common} value={value} placeholder={String(field.standard)} onChange={onChange} />
          </span>
        );
      case "set":
        return (
          <TextBox
            {...common}
            value={Array.isArray(value) ? value.join(" ") : undefined}
            placeholder={control.options.join(" ")}
            onChange={(text) => onChange(typeof text === "string" ? text.split(/[\s,]+/).filter(Boolean) : undefined)}
          />
        );
      case "text":
        return <TextBox {...common} value={value} placeholder={field.standard ? String(field.standard) : ""} onChange={onChange} />;
      case "json":
        return <JsonBox {...common} value={value} onChange={onChange} />;
    }
  })();
  const wide = control.kind === "json" || control.kind === "set";
  return (
    <div className={`min-w-0 ${wide ? "col-span-2" : ""}`}>
      <label htmlFor={id} title={help} className="mb-1 block truncate text-sm text-ink-soft">
        {label}
        {field.required && <span className="text-bad"> *</span>}
      </label>
      {body}
      {wrong && (
        <p id={`${id}-wrong`} className="mt-1 text-sm leading-snug text-bad">
          {wrong}
        </p>
      )}
    </div>
  );
}

function standardName({ standard }: Field): string {
  if (standard === null || standard === undefined) return "as it comes";
  return typeof standard === "boolean" ? (standard ? "yes" : "no") : String(standard);
}

interface BoxProps {
  id: string;
  title: string;
  required: boolean;
  "aria-invalid": boolean;
  "aria-describedby": string | undefined;
  value: unknown;
  onChange: (value: unknown) => void;
}

function NumberBox({ field, value, onChange, ...common }: BoxProps & { field: Field }) {
  const { control } = field;
  if (control.kind !== "number") return null;
  const listId = `${common.id}-words`;
  // Text, not number: some take a word too, and "" is told from 0.
  return (
    <>
      <input
        {...common}
        type="text"
        inputMode={control.words.length > 0 ? "text" : "decimal"}
        list={control.words.length > 0 ? listId : undefined}
        value={value === undefined ? "" : String(value)}
        placeholder={field.standard === null || field.standard === undefined ? "" : String(field.standard)}
        onChange={(event) => {
          const text = event.target.value.trim();
          const number = Number(text);
          onChange(text === "" ? undefined : Number.isFinite(number) && !/[.e]$/i.test(text) ? number : text);
        }}
        className={`${BOX} figures`}
      />
      {control.words.length > 0 && (
        <datalist id={listId}>
          {control.words.map((word) => (
            <option key={word} value={word} />
          ))}
        </datalist>
      )}
    </>
  );
}

function TextBox({ value, placeholder, onChange, ...common }: BoxProps & { placeholder: string }) {
  return (
    <input
      {...common}
      type="text"
      value={value === undefined || value === null ? "" : String(value)}
      placeholder={placeholder}
      onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value)}
      className={BOX}
    />
  );
}

function JsonBox({ value, onChange, ...common }: BoxProps) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value)));
  return (
    <input
      {...common}
      type="text"
      spellCheck={false}
      value={text}
      placeholder="JSON"
      onChange={(event) => {
        setText(event.target.value);
        const next = event.target.value.trim();
        try {
          onChange(next === "" ? undefined : JSON.parse(next));
        } catch {
          onChange(next); // the service says what is wrong with it
        }
      }}
      className={`${BOX} font-mono text-sm`}
    />
  );
}

export { BOX, words };
