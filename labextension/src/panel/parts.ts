/**
 * The parts of the state that the kernel is asked for: what its answer becomes, and what a refusal says.
 *
 * Rule: pure; answers.ts knows the fields.
 */
import type { JSONObject } from '@lumino/coreutils';

import { ProtocolError } from '../fields';
import { Problem } from '../requests';
import * as answers from './answers';
import type { Answer, IParts } from './state';

export type Part = keyof IParts;

const UNREADABLE = 'The kernel and this page are of different versions: reload the page.';

/** The action that an answer is. Throws ProtocolError. */
export function answered(part: Part, data: JSONObject): Answer {
  switch (part) {
    case 'variables':
      return { type: 'answered', part, value: answers.variables(data) };
    case 'files':
      return { type: 'answered', part, value: answers.files(data) };
    case 'sandbox':
      return { type: 'answered', part, value: answers.sandbox(data) };
    case 'checkpoints':
      return { type: 'answered', part, value: answers.checkpoints(data) };
    case 'settings':
      return { type: 'answered', part, value: answers.configured(data) };
    case 'tools':
      return { type: 'answered', part, value: answers.tools(data) };
  }
}

/** What went wrong, for the user. Anything else is a mistake of ours and goes on as one. */
export function sentence(error: unknown): string {
  if (error instanceof Problem) {
    return error.message;
  }
  if (error instanceof ProtocolError) {
    return `${UNREADABLE} (${error.message})`;
  }
  throw error;
}
