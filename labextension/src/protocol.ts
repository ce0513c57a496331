/**
 * What travels between the kernel and this extension: docs/panel.md in TypeScript.
 *
 * Rule: nothing the kernel says is believed before it was read here, field by field.
 * tests/contract/*.json holds an example of each message, read by pytest too.
 */
import type { JSONObject, JSONValue } from '@lumino/coreutils';

import {
  count,
  flag,
  member,
  object,
  objects,
  ProtocolError,
  seconds,
  text,
  texts
} from './fields';

/** The comm target. The front end opens it, never the kernel. */
export const TARGET = 'codeact';

/** The version of docs/panel.md this file mirrors. */
export const PROTOCOL = 1;

/**
 * The data of comm_open. `cells`: this front end turns steps into real cells; `runs`: it executes them, too;
 * `collaborates`: other pages show the same copy of the notebook.
 */
export interface IOpen {
  client: 'jupyterlab';
  cells: boolean;
  runs: boolean;
  collaborates: boolean;
  /** Options of `%%agent` that go before those of cells. */
  overrides: JSONObject;
}

/** The data of a comm_msg to the kernel: it is answered with one reply of the same id. */
export interface IRequest extends JSONObject {
  kind: 'request';
  id: number;
  do: string;
}

/**
 * Answers the open, and comes again when `display` changes ("cleaned" or "trusted"). `grade`: what the sandbox's
 * self-test saw, from "vm" to "none". `notes`: sentences about what the sandbox does not show or hold.
 */
export interface IHello {
  kind: 'hello';
  protocol: number;
  version: string;
  grade: string;
  display: string;
  notes: string[];
}

/**
 * One event of a run, which happened `age` seconds ago. `type` is its class name; the fields are as
 * codeact_kernel/trace/events.py has them.
 */
export interface IEventMessage {
  kind: 'event';
  seq: number;
  age: number;
  event: JSONObject & { type: string };
}

/** One change of the notebook. Applying it twice changes nothing. */
export interface IEditMessage {
  kind: 'edit';
  seq: number;
  edit: Edit;
}

/** Answers the request `id`. `problem`: a sentence for the user, "" when it was done. */
export interface IReply {
  kind: 'reply';
  id: number;
  problem: string;
  data: JSONObject;
}

export type Message = IHello | IEventMessage | IEditMessage | IReply;

/** A new cell below `after`; "" = below the cell that sent the request. */
export interface IInsert {
  op: 'insert';
  cell: string;
  after: string;
  cell_type: 'code' | 'markdown';
  source: string;
  metadata: JSONObject;
}

/** The whole source as it is now. */
export interface ISource {
  op: 'source';
  cell: string;
  source: string;
}

/** The outputs of a cell that is not run (a refusal, a syntax error), whole. */
export interface IOutputs {
  op: 'outputs';
  cell: string;
  outputs: JSONObject[];
  count: number | null;
}

/** Execute this cell now, with `token` in the request's metadata. */
export interface IRun {
  op: 'run';
  cell: string;
  token: string;
}

/** The cell runs without this front end: send its request again with `attach`. */
export interface IAttach {
  op: 'attach';
  cell: string;
}

/** How a cell is now, for a notebook that may have missed what made it so. */
export interface IRestore {
  op: 'restore';
  cell: string;
  after: string;
  cell_type: 'code' | 'markdown';
  source: string;
  metadata: JSONObject;
  attach: boolean;
  under_way: boolean;
}

/** The kernel runs this cell: messages whose parent is `msg_id` are its outputs. */
export interface IFollow {
  op: 'follow';
  cell: string;
  msg_id: string;
}

/** Replaces the `codeact` key of the cell's metadata; cell "" = the agent cell. */
export interface IMetadata {
  op: 'metadata';
  cell: string;
  metadata: JSONObject;
}

/** Takes back a cell that was inserted while the model was still writing. */
export interface IDelete {
  op: 'delete';
  cell: string;
}

/** Goes into the `codeact` key of the notebook's metadata: its `runs` replace those with the same `id`. */
export interface INotebook {
  op: 'notebook';
  metadata: JSONObject;
}

/** Save the notebook: a step, or the run, is done. */
export interface ISave {
  op: 'save';
}

export type Edit =
  | IInsert
  | ISource
  | IOutputs
  | IRun
  | IAttach
  | IRestore
  | IFollow
  | IMetadata
  | IDelete
  | INotebook
  | ISave;

/** The message in a comm_msg's data. Throws ProtocolError. */
export function parse(data: JSONValue): Message {
  const message = object(data, 'message');
  const kind = text(message, 'kind');
  switch (kind) {
    case 'hello':
      return {
        kind,
        protocol: count(message, 'protocol'),
        version: text(message, 'version'),
        grade: text(message, 'grade'),
        display: text(message, 'display'),
        notes: texts(message, 'notes')
      };
    case 'event':
      return {
        kind,
        seq: count(message, 'seq'),
        age: seconds(message, 'age'),
        event: event(message)
      };
    case 'edit':
      return { kind, seq: count(message, 'seq'), edit: edit(member(message, 'edit')) };
    case 'reply':
      return {
        kind,
        id: count(message, 'id'),
        problem: text(message, 'problem'),
        data: member(message, 'data')
      };
    default:
      throw new ProtocolError(`kind is ${JSON.stringify(kind)}, which is not a message`);
  }
}

function event(message: JSONObject): IEventMessage['event'] {
  const fields = member(message, 'event');
  return { ...fields, type: text(fields, 'type') };
}

function edit(data: JSONObject): Edit {
  const op = text(data, 'op');
  switch (op) {
    case 'insert':
      return {
        op,
        cell: text(data, 'cell'),
        after: text(data, 'after'),
        cell_type: cellType(data),
        source: text(data, 'source'),
        metadata: member(data, 'metadata')
      };
    case 'source':
      return { op, cell: text(data, 'cell'), source: text(data, 'source') };
    case 'outputs':
      return {
        op,
        cell: text(data, 'cell'),
        outputs: objects(data, 'outputs'),
        count: data.count === null ? null : count(data, 'count')
      };
    case 'run':
      return { op, cell: text(data, 'cell'), token: text(data, 'token') };
    case 'attach':
      return { op, cell: text(data, 'cell') };
    case 'restore':
      return {
        op,
        cell: text(data, 'cell'),
        after: text(data, 'after'),
        cell_type: cellType(data),
        source: text(data, 'source'),
        metadata: member(data, 'metadata'),
        attach: flag(data, 'attach'),
        under_way: flag(data, 'under_way')
      };
    case 'follow':
      return { op, cell: text(data, 'cell'), msg_id: text(data, 'msg_id') };
    case 'metadata':
      return { op, cell: text(data, 'cell'), metadata: member(data, 'metadata') };
    case 'delete':
      return { op, cell: text(data, 'cell') };
    case 'notebook':
      return { op, metadata: member(data, 'metadata') };
    case 'save':
      return { op };
    default:
      throw new ProtocolError(`op is ${JSON.stringify(op)}, which is not an edit`);
  }
}

function cellType(data: JSONObject): IInsert['cell_type'] {
  const type = text(data, 'cell_type');
  if (type !== 'code' && type !== 'markdown') {
    throw new ProtocolError(`cell_type is ${JSON.stringify(type)}, not code or markdown`);
  }
  return type;
}
