/**
 * The `codeact` key of a cell's metadata as this extension reads it: docs/trace.md.
 *
 * Rule: a notebook comes from anywhere, so every field is checked; what is not as it should be is not there.
 */
import type { JSONObject, PartialJSONValue } from '@lumino/coreutils';

/** The one key of ours in the metadata of a cell and of a notebook. */
export const KEY = 'codeact';

/** A cell that a run made for one of its steps. */
export interface IStepCell {
  run: string;
  step: number;
  /** writing, proposed, waiting, running; or how the code ended; "" where nothing was to run. */
  status: string;
  model: string;
  seconds: number | null;
  tokens: number | null;
  /** The user changed the code before it ran. */
  edited: boolean;
  /** It ran in a state that was rewound since. */
  stale: boolean;
  /** SHA-256 of the code that ran, "" when none did. */
  ran: string;
  /** What the checks found, where the step waits for approval. */
  concerns: string[];
}

/** The step a code cell belongs to; null where it belongs to none. */
export function stepOf(metadata: PartialJSONValue | undefined): IStepCell | null {
  if (!isObject(metadata) || metadata.role !== 'step') {
    return null;
  }
  const { run, step } = metadata;
  if (typeof run !== 'string' || typeof step !== 'number') {
    return null;
  }
  return {
    run,
    step,
    status: text(metadata.status),
    model: text(metadata.model),
    seconds: number(metadata.seconds),
    tokens: tokens(metadata.usage),
    edited: metadata.edited === true,
    stale: metadata.stale === true,
    ran: text(metadata.ran),
    concerns: texts(metadata.concerns)
  };
}

/** The id of the run a cell belongs to, the agent cell included; null for none. */
export function runOf(metadata: PartialJSONValue | undefined): string | null {
  if (!isObject(metadata)) {
    return null;
  }
  const id = isObject(metadata.run) ? metadata.run.id : metadata.run;
  return typeof id === 'string' ? id : null;
}

/** What the cell is in its run: agent, continue, thought, step, answer; "" for a cell of no run. */
export function roleOf(metadata: PartialJSONValue | undefined): string {
  return isObject(metadata) && runOf(metadata) !== null ? text(metadata.role) : '';
}

/** Whether a step is over: its metadata is the record of it. */
export function isRecord(metadata: PartialJSONValue | undefined): boolean {
  return isObject(metadata) && Array.isArray(metadata.replies);
}

export function isObject(value: PartialJSONValue | undefined): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: PartialJSONValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: PartialJSONValue | undefined): string[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}

function number(value: PartialJSONValue | undefined): number | null {
  return typeof value === 'number' && value >= 0 ? value : null;
}

function tokens(usage: PartialJSONValue | undefined): number | null {
  if (!isObject(usage)) {
    return null;
  }
  const sum = (number(usage.input_tokens) ?? 0) + (number(usage.output_tokens) ?? 0);
  return sum > 0 ? sum : null;
}
