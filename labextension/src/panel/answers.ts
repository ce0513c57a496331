/**
 * What the kernel answers to the panel's requests, read field by field (docs/panel.md).
 *
 * Rule: mirrors codeact_kernel/kernel/panel/verbs/; tests/contract/reply_*.json holds an example of each.
 */
import type { JSONObject } from '@lumino/coreutils';

import { count, flag, limit, member, objects, ProtocolError, text, texts } from '../fields';

export interface IVariable {
  name: string;
  type: string;
  shape: string;
  dtype: string;
  size: string;
  preview: string;
}

/** Some rows and columns of `height` × `width`, from (`row`, `column`) on. */
export interface IPage {
  height: number;
  width: number;
  row: number;
  column: number;
  index: string[];
  columns: string[];
  cells: string[][];
}

/** `path` names it in a request, `shown` on the screen. */
export interface IChange {
  path: string;
  shown: string;
  act: string;
  kind: string;
  size: number;
  protected: boolean;
  diff: string[];
}

/** `unavailable`: why nothing can be staged, "" when it can. */
export interface IFiles {
  unavailable: string;
  changes: IChange[];
}

export interface IDecided {
  done: string[];
  refused: { path: string; reason: string }[];
}

/** `unit`: bytes, tasks or files. */
export interface IReading {
  name: string;
  used: number;
  limit: number;
  unit: string;
}

/** `problem`: the sentence that refused it, "" when it was let through. */
export interface INetworkRequest {
  step: number;
  method: string;
  host: string;
  port: number;
  path: string;
  problem: string;
  count: number;
  sent: number;
  received: number;
}

export interface INetwork {
  hosts: string[];
  bytes: number;
  requests: INetworkRequest[];
}

export interface ISandbox {
  profile: string;
  workspace: string;
  workspaceMode: string;
  stepSeconds: number | null;
  cellSeconds: number | null;
  readings: IReading[];
  /** null: there is no network. */
  network: INetwork | null;
}

/** A state of the notebook. `parent`: the one it came from, 0 for none; `here`: the present one came from it. */
export interface ICheckpoint {
  number: number;
  title: string;
  parent: number;
  changed: string[];
  not_restored: string[];
  size: number;
  kept: boolean;
  why_gone: string;
  here: boolean;
}

/** `redo`: the state that the last rewind left, 0 for none. */
export interface ICheckpoints {
  unavailable: string;
  checkpoints: ICheckpoint[];
  redo: number;
}

/** What code may call and the user can switch off. `off`: the kernel's profile has done so for good. */
export interface ITool {
  name: string;
  signature: string;
  about: string;
  off: boolean;
}

/** What the user configured for this kernel, by option. */
export interface IConfigured {
  configured: JSONObject;
  approvals: string[];
}

export function variables(data: JSONObject): IVariable[] {
  return objects(data, 'variables').map(variable);
}

export function variable(data: JSONObject): IVariable {
  return {
    name: text(data, 'name'),
    type: text(data, 'type'),
    shape: text(data, 'shape'),
    dtype: text(data, 'dtype'),
    size: text(data, 'size'),
    preview: text(data, 'preview')
  };
}

export function page(data: JSONObject): IPage {
  const rows = data.cells;
  if (!Array.isArray(rows)) {
    throw new ProtocolError('cells is not a list');
  }
  return {
    height: count(data, 'height'),
    width: count(data, 'width'),
    row: count(data, 'row'),
    column: count(data, 'column'),
    index: texts(data, 'index'),
    columns: texts(data, 'columns'),
    cells: rows.map(row => texts({ row }, 'row'))
  };
}

export function files(data: JSONObject): IFiles {
  return {
    unavailable: text(data, 'unavailable'),
    changes: objects(data, 'changes').map(change => ({
      path: text(change, 'path'),
      shown: text(change, 'shown'),
      act: text(change, 'act'),
      kind: text(change, 'kind'),
      size: count(change, 'size'),
      protected: flag(change, 'protected'),
      diff: texts(change, 'diff')
    }))
  };
}

export function decided(data: JSONObject): IDecided {
  return {
    done: texts(data, 'done'),
    refused: objects(data, 'refused').map(each => ({
      path: text(each, 'path'),
      reason: text(each, 'reason')
    }))
  };
}

export function sandbox(data: JSONObject): ISandbox {
  return {
    profile: text(data, 'profile'),
    workspace: text(data, 'workspace'),
    workspaceMode: text(data, 'workspace_mode'),
    stepSeconds: limit(data, 'step_seconds'),
    cellSeconds: limit(data, 'cell_seconds'),
    readings: objects(data, 'readings').map(each => ({
      name: text(each, 'name'),
      used: count(each, 'used'),
      limit: count(each, 'limit'),
      unit: text(each, 'unit')
    })),
    network: data.network === null ? null : network(member(data, 'network'))
  };
}

export function checkpoints(data: JSONObject): ICheckpoints {
  return {
    unavailable: text(data, 'unavailable'),
    checkpoints: objects(data, 'checkpoints').map(each => ({
      number: count(each, 'number'),
      title: text(each, 'title'),
      parent: count(each, 'parent'),
      changed: texts(each, 'changed'),
      not_restored: texts(each, 'not_restored'),
      size: count(each, 'size'),
      kept: flag(each, 'kept'),
      why_gone: text(each, 'why_gone'),
      here: flag(each, 'here')
    })),
    redo: count(data, 'redo')
  };
}

export function tools(data: JSONObject): ITool[] {
  return objects(data, 'tools').map(each => ({
    name: text(each, 'name'),
    signature: text(each, 'signature'),
    about: text(each, 'about'),
    off: flag(each, 'off')
  }));
}

export function configured(data: JSONObject): IConfigured {
  return { configured: member(data, 'configured'), approvals: texts(data, 'approvals') };
}

function network(data: JSONObject): INetwork {
  return {
    hosts: texts(data, 'hosts'),
    bytes: count(data, 'bytes'),
    requests: objects(data, 'requests').map(each => ({
      step: count(each, 'step'),
      method: text(each, 'method'),
      host: text(each, 'host'),
      port: count(each, 'port'),
      path: text(each, 'path'),
      problem: text(each, 'problem'),
      count: count(each, 'count'),
      sent: count(each, 'sent'),
      received: count(each, 'received')
    }))
  };
}
