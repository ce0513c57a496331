/**
 * All that the panel shows of one notebook, and what each action makes of it.
 *
 * Rule: pure. `reduce` is the only maker of a state; store.ts owns the present one.
 */
import type { ConnectionState } from '../tokens';
import type {
  ICheckpoints,
  IConfigured,
  IFiles,
  IPage,
  ISandbox,
  ITool,
  IVariable
} from './answers';
import type { RunEvent } from './events';
import { fold } from './run';
import type { IRun } from './run';

/** Something the kernel is asked for. `value` is what it said last, `problem` why it did not. */
export interface IPart<T> {
  value: T | null;
  loading: boolean;
  problem: string;
}

/** What is looked at inside a variable. */
export interface ILook {
  name: string;
  page: IPage | null;
  problem: string;
}

/** An observation that is being changed. `holds`: the run is held for it, and goes on when it is left. */
export interface IDraft {
  run: string;
  step: number;
  text: string;
  holds: boolean;
}

/** The parts by name. */
export interface IParts {
  variables: IVariable[];
  files: IFiles;
  sandbox: ISandbox;
  checkpoints: ICheckpoints;
  settings: IConfigured;
  tools: ITool[];
}

export interface IPanelState {
  connection: ConnectionState;
  run: IRun | null;
  variables: IPart<IVariable[]>;
  files: IPart<IFiles>;
  sandbox: IPart<ISandbox>;
  checkpoints: IPart<ICheckpoints>;
  settings: IPart<IConfigured>;
  tools: IPart<ITool[]>;
  look: ILook | null;
  draft: IDraft | null;
  /** What could not be done last, as a sentence, and in which section; null: nothing. */
  trouble: { section: string; sentence: string } | null;
}

export type Answer = {
  [K in keyof IParts]: { type: 'answered'; part: K; value: IParts[K] };
}[keyof IParts];

export type Action =
  | { type: 'connection'; connection: ConnectionState }
  | { type: 'opened' }
  | { type: 'event'; event: RunEvent; at: number }
  | { type: 'asked'; part: keyof IParts }
  | Answer
  | { type: 'refused'; part: keyof IParts; problem: string }
  | { type: 'look'; look: ILook | null }
  | { type: 'draft'; draft: IDraft | null }
  | { type: 'variable'; variable: IVariable }
  | { type: 'trouble'; section: string; sentence: string }
  | { type: 'calm' };

const TOO_LATE =
  'The model had answered this already, so it cannot be changed. The run is held now: change the newest one, or let it go on.';
const UNKNOWN = { value: null, loading: false, problem: '' };

export function initial(connection: ConnectionState): IPanelState {
  return {
    connection,
    run: null,
    variables: UNKNOWN,
    files: UNKNOWN,
    sandbox: UNKNOWN,
    checkpoints: UNKNOWN,
    settings: UNKNOWN,
    tools: UNKNOWN,
    look: null,
    draft: null,
    trouble: null
  };
}

/** What could not be done last in a section, "" for nothing. */
export function troubleIn(state: IPanelState, section: string): string {
  return state.trouble?.section === section ? state.trouble.sentence : '';
}

/** The state after an action. */
export function reduce(state: IPanelState, action: Action): IPanelState {
  switch (action.type) {
    case 'connection':
      return { ...state, connection: action.connection };
    case 'opened':
      return initial(state.connection); // a new kernel, or the same one that tells all anew
    case 'event':
      return withEvent(state, action.event, action.at);
    case 'asked':
      return { ...state, [action.part]: { ...state[action.part], loading: true } };
    case 'answered':
      return { ...state, [action.part]: { value: action.value, loading: false, problem: '' } };
    case 'refused':
      return {
        ...state,
        [action.part]: { ...state[action.part], loading: false, problem: action.problem }
      };
    case 'look':
      return { ...state, look: action.look };
    case 'draft':
      return { ...state, draft: action.draft };
    case 'variable':
      return { ...state, variables: withVariable(state.variables, action.variable) };
    case 'trouble':
      return { ...state, trouble: { section: action.section, sentence: action.sentence } };
    case 'calm':
      return { ...state, trouble: null };
  }
}

/** A draft of what the model has answered meanwhile is given up, and that is said. */
function withEvent(state: IPanelState, event: RunEvent, at: number): IPanelState {
  const run = fold(state.run, event, at);
  const { draft } = state;
  if (!draft || event.type !== 'Held' || event.observation === draft.step) {
    return { ...state, run };
  }
  return { ...state, run, draft: null, trouble: { section: 'observations', sentence: TOO_LATE } };
}

function withVariable(part: IPart<IVariable[]>, changed: IVariable): IPart<IVariable[]> {
  const value = part.value?.map(each => (each.name === changed.name ? changed : each)) ?? null;
  return { ...part, value };
}
