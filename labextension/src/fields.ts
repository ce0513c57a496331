/**
 * How one field of what the kernel sends is read.
 *
 * Rule: a reader gives back exactly what its type says or throws a ProtocolError that names the field.
 */
import type { JSONObject, JSONValue } from '@lumino/coreutils';

/** What arrived is not a message of docs/panel.md. The text names the field. */
export class ProtocolError extends Error {}

export function object(value: JSONValue | undefined, name: string): JSONObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`${name} is not an object`);
  }
  return value;
}

export function member(data: JSONObject, name: string): JSONObject {
  return object(data[name], name);
}

export function objects(data: JSONObject, name: string): JSONObject[] {
  const value = data[name];
  if (!Array.isArray(value)) {
    throw new ProtocolError(`${name} is not a list`);
  }
  return value.map((item, at) => object(item, `${name}[${String(at)}]`));
}

export function texts(data: JSONObject, name: string): string[] {
  const value = data[name];
  if (!Array.isArray(value) || !value.every(item => typeof item === 'string')) {
    throw new ProtocolError(`${name} is not a list of strings`);
  }
  return value;
}

export function text(data: JSONObject, name: string): string {
  const value = data[name];
  if (typeof value !== 'string') {
    throw new ProtocolError(`${name} is not a string`);
  }
  return value;
}

/** A text, or null where there is none. */
export function optionalText(data: JSONObject, name: string): string | null {
  return data[name] === null || data[name] === undefined ? null : text(data, name);
}

export function count(data: JSONObject, name: string): number {
  const value = data[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new ProtocolError(`${name} is not a count`);
  }
  return value;
}

export function seconds(data: JSONObject, name: string): number {
  const value = data[name];
  if (typeof value !== 'number' || !(value >= 0)) {
    throw new ProtocolError(`${name} is not a number of seconds`);
  }
  return value;
}

/** A number or null: a limit that may not be there. */
export function limit(data: JSONObject, name: string): number | null {
  const value = data[name];
  if (value !== null && (typeof value !== 'number' || !Number.isFinite(value))) {
    throw new ProtocolError(`${name} is not a number or null`);
  }
  return value;
}

export function flag(data: JSONObject, name: string): boolean {
  const value = data[name];
  if (typeof value !== 'boolean') {
    throw new ProtocolError(`${name} is not true or false`);
  }
  return value;
}

export function counts(data: JSONObject, name: string): number[] {
  const value = data[name];
  if (!Array.isArray(value)) {
    throw new ProtocolError(`${name} is not a list`);
  }
  return value.map((each, at) =>
    count({ [`${name}[${String(at)}]`]: each }, `${name}[${String(at)}]`)
  );
}
