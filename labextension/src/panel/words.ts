/**
 * Numbers and states as a person reads them.
 *
 * Rule: pure; the words of the panel that are not in a section's own file are here.
 */
import type { IReading } from './answers';
import { isOver } from './run';
import type { IRun, IStep, StepStatus } from './run';
import type { IUsage } from './usage';

const STATUS: Readonly<Record<StepStatus, string>> = {
  thinking: 'thinking',
  held: 'held by you',
  writing: 'writing',
  waiting: 'waiting',
  running: 'running',
  done: 'done',
  failed: 'failed',
  answered: 'answered',
  left: 'not finished'
};

const OUTCOMES: Readonly<Record<string, string>> = {
  answer: 'Answered',
  step_limit: 'Step limit reached',
  budget: 'Budget used up',
  stopped: 'Stopped',
  failed: 'Failed'
};

const CODE_ENDED: Readonly<Record<string, string>> = {
  ok: 'ok',
  error: 'error',
  interrupted: 'interrupted',
  timeout: 'time limit',
  died: 'sandbox ended',
  not_run: 'not run'
};

export function statusWord(step: IStep): string {
  return step.status === 'failed' ? outcomeOfCode(step.outcome) : STATUS[step.status];
}

export function outcomeOfCode(outcome: string): string {
  return CODE_ENDED[outcome] ?? outcome;
}

/** One line that says where a run is. */
export function runWord(run: IRun): string {
  if (run.outcome !== null) {
    return OUTCOMES[run.outcome] ?? run.outcome;
  }
  const step = run.steps.find(each => !isOver(each));
  if (!step) {
    return run.steps.length ? 'Between steps' : 'Starting';
  }
  const doing: Partial<Record<StepStatus, string>> = {
    thinking: 'waiting for the model',
    held: 'held by you',
    writing: 'the model is writing',
    waiting: run.approve === 'never' ? 'about to run' : 'waits for your approval',
    running: 'code is running'
  };
  return `Step ${String(step.number)}: ${doing[step.status] ?? step.status}`;
}

/** `<0.1 s`, `1.4 s`, `2 min 5 s`, `2 min`, `1 h 3 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) {
    return seconds < 0.1 ? '<0.1 s' : `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${String(whole)} s`;
  }
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? both(minutes, 'min', whole % 60, 's')
    : both(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

/** As `duration`, for seconds that are counted while one looks. */
export function ticking(seconds: number): string {
  return seconds < 60 ? `${String(seconds)} s` : duration(seconds);
}

function both(large: number, unit: string, small: number, other: string): string {
  return `${String(large)} ${unit}${small ? ` ${String(small)} ${other}` : ''}`;
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

export function money(usd: number): string {
  return `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}`;
}

export function tokens(usage: IUsage): string {
  const about = usage.estimated ? 'about ' : '';
  return `${about}${number(usage.input + usage.output)} tokens`;
}

export function bytes(size: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

/** How much of a limit is used, in its unit. */
export function reading(of: IReading): string {
  const show = (value: number): string => (of.unit === 'bytes' ? bytes(value) : number(value));
  return `${show(of.used)} of ${show(of.limit)}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** The first line that says something. */
export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]?.trim() ?? '';
}

/**
 * What a model wrote in Markdown, without its marks for strong words and code. The panel draws no Markdown: a
 * picture in it could carry something out.
 */
export function unmarked(text: string): string {
  return text
    .replace(/(?<![\w*])\*\*(?=\S)([^\n*]*?\S)\*\*(?![\w*])/g, '$1')
    .replace(/(?<!`)`([^`\n]+)`(?!`)/g, '$1');
}
