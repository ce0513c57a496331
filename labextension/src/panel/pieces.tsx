/**
 * The small parts that sections are made of.
 *
 * Rule: no state, no kernel; colours and sizes come from style/, by JupyterLab's variables.
 */
import * as React from 'react';

import type { StepStatus } from './run';

/** A button with words. `kind`: how much it asks for attention. */
export function Button(props: {
  label: string;
  onClick: () => void;
  kind?: 'plain' | 'main' | 'danger';
  title?: string;
  disabled?: boolean;
}): React.ReactElement {
  return (
    <button
      type="button"
      className="codeact-Button"
      data-kind={props.kind ?? 'plain'}
      title={props.title}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}

/** What a section says when it has nothing to show. */
export function Empty(props: { text: string; children?: React.ReactNode }): React.ReactElement {
  return (
    <div className="codeact-Empty">
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}

/** A sentence about what could not be done. */
export function Trouble(props: { sentence: string }): React.ReactElement | null {
  return props.sentence ? (
    <p className="codeact-Trouble" role="alert">
      {props.sentence}
    </p>
  ) : null;
}

/** What a section says while a part is not known: why, or that it is asked for. */
export function Unknown(props: { problem: string; loading: boolean }): React.ReactElement {
  return (
    <Empty text={props.problem || (props.loading ? 'Asking the notebook…' : 'Not known yet.')} />
  );
}

/** What is shown is older than it should be, and why. */
export function Outdated(props: { problem: string }): React.ReactElement | null {
  return props.problem ? (
    <p className="codeact-Note">{props.problem} Shown is what was there before.</p>
  ) : null;
}

/** How much of a limit is used: a bar, and the same in words. */
export function Meter(props: {
  label: string;
  used: number;
  limit: number;
  words: string;
}): React.ReactElement {
  const part = props.limit > 0 ? Math.min(1, props.used / props.limit) : 0;
  return (
    <div className="codeact-Meter">
      <div className="codeact-Meter-words">
        <span>{props.label}</span>
        <span className="codeact-Meter-figures">{props.words}</span>
      </div>
      <div
        className="codeact-Meter-bar"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={props.limit}
        aria-valuenow={props.used}
        aria-valuetext={props.words}
      >
        <div
          className="codeact-Meter-used"
          data-level={part > 0.9 ? 'high' : part > 0.7 ? 'middle' : 'low'}
          style={{ width: `${String(Math.round(100 * part))}%` }}
        />
      </div>
    </div>
  );
}

const MARKS: Readonly<Record<StepStatus, string>> = {
  thinking: 'M8 3a5 5 0 1 1-5 5',
  writing: 'M8 3a5 5 0 1 1-5 5',
  running: 'M8 3a5 5 0 1 1-5 5',
  held: 'M6 5v6M10 5v6',
  waiting: 'M6 5v6M10 5v6',
  done: 'M3.5 8.5l3 3 6-7',
  failed: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  answered: 'M3.5 8.5l3 3 6-7',
  left: 'M4 8h8'
};

/** The mark of a step's status; what it means is said in words beside it. */
export function StatusMark(props: { status: StepStatus }): React.ReactElement {
  return (
    <svg
      className="codeact-StatusMark"
      data-status={props.status}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={MARKS[props.status]} />
    </svg>
  );
}

/** The seconds from `began` to `until`; null: to now, counted while `live`. */
export function Elapsed(props: {
  began: number;
  until?: number | null;
  live: boolean;
  words: (seconds: number) => string;
}): React.ReactElement {
  const [now, setNow] = React.useState(Date.now());
  const until = props.until ?? null;
  const counts = props.live && until === null;
  React.useEffect(() => {
    if (!counts) {
      return;
    }
    setNow(Date.now());
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [counts, props.began]);
  return <>{props.words(Math.floor(Math.max(0, (until ?? now) - props.began) / 1000))}</>;
}
