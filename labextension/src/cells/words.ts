/**
 * What a step's mark says.
 *
 * Rule: a pure function of the step; the wording of marks is here and nowhere else.
 */
import type { IStepCell } from './metadata';

export interface IMarkText {
  /** "Step 3". */
  label: string;
  /** What it took: model, time, tokens; "" while it is not over. */
  facts: string;
  /** What is worth knowing about it; "" for a step that simply ran. */
  state: string;
  mood: 'plain' | 'busy' | 'waiting' | 'bad';
  /** All of it as a sentence, for who does not see it. */
  spoken: string;
}

const STATES: Readonly<Record<string, [string, IMarkText['mood']]>> = {
  writing: ['writing', 'busy'],
  proposed: ['about to run', 'busy'],
  waiting: ['waits for your approval', 'waiting'],
  running: ['running', 'busy'],
  error: ['failed', 'bad'],
  interrupted: ['stopped', 'bad'],
  timeout: ['over its time limit', 'bad'],
  died: ['sandbox ended', 'bad'],
  not_run: ['not run', 'bad']
};

const LEFT: [string, IMarkText['mood']] = ['not finished', 'plain'];
const UNFINISHED = new Set(['writing', 'proposed', 'waiting', 'running']);

/** Whether a step had not ended when its metadata was written. */
export function isUnfinished(step: IStepCell): boolean {
  return UNFINISHED.has(step.status);
}

/**
 * The words of a mark. `changed`: the code in the cell is not the code that ran. `isLive`: the kernel knows the
 * step; what is unfinished in a session that is gone stays so.
 */
export function describeStep(step: IStepCell, changed: boolean, isLive: boolean): IMarkText {
  const [word, mood] =
    isUnfinished(step) && !isLive ? LEFT : (STATES[step.status] ?? ['', 'plain']);
  const label = `Step ${String(step.step)}`;
  const states = [
    word,
    step.edited ? 'edited before it ran' : '',
    changed ? 'changed since it ran' : '',
    step.stale ? 'stale' : ''
  ].filter(Boolean);
  const isOver = mood !== 'busy' && mood !== 'waiting';
  const facts = isOver ? factsOf(step) : [];
  return {
    label,
    facts: facts.join(' · '),
    state: states.join(', '),
    mood,
    spoken: `${[`${label} of the agent`, ...states, ...facts].join(', ')}.`
  };
}

/** "3 failed attempts". */
export function attempts(count: number): string {
  return count === 1 ? '1 failed attempt' : `${String(count)} failed attempts`;
}

function factsOf(step: IStepCell): string[] {
  return [
    step.model.split('/').at(-1) ?? '',
    step.seconds === null || step.status === 'not_run' ? '' : seconds(step.seconds),
    step.tokens === null ? '' : `${step.tokens.toLocaleString('en-US')} tokens`
  ].filter(Boolean);
}

function seconds(value: number): string {
  if (value < 0.1) {
    return '<0.1 s';
  }
  if (value >= 60) {
    return `${String(Math.floor(value / 60))} min ${String(Math.round(value % 60))} s`;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} s`;
}
