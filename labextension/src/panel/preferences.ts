/**
 * What the user prefers for runs in this JupyterLab: the saved settings, as options of `%%agent`.
 *
 * Rule: the settings registry owns the values; this file says which of them are options, and nobody else
 * writes them. An option that is not set is left to the kernel's configuration.
 */
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** The options of `%%agent` that can be preferred; the schema has the same names. */
export const OPTIONS = [
  'model',
  'approve',
  'steps',
  'budget',
  'vision',
  'api_base',
  'without'
] as const;
export type Option = (typeof OPTIONS)[number];

/** The value of an option; a list are names. */
export type Choice = string | number | boolean | string[];
export type Options = Partial<Record<Option, Choice>>;

/** One plugin's settings, as ISettingRegistry.ISettings is. */
export interface ISettingsPort {
  readonly user: ReadonlyPartialJSONObject;
  readonly changed: ISignal<ISettingsPort, void>;
  set(name: string, value: Choice): Promise<void>;
  remove(name: string): Promise<void>;
}

export class Preferences {
  /** `loading`: null where the application keeps no settings. */
  constructor(loading: Promise<ISettingsPort> | null) {
    void loading?.then(settings => {
      this._settings = settings;
      settings.changed.connect(() => {
        this._changed.emit();
      });
      this._changed.emit();
    });
  }

  /** The options that are set, by name. */
  get options(): Options {
    const given: Options = {};
    for (const name of OPTIONS) {
      const value = choice(this._settings?.user[name]);
      if (value !== null && value !== '') {
        given[name] = value;
      }
    }
    return given;
  }

  /** Whether they can be saved; false while they are loaded. */
  get areKept(): boolean {
    return this._settings !== null;
  }

  /** Emitted after every change of `options`. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Save an option; null: leave it to the kernel's configuration. */
  async set(name: Option, value: Choice | null): Promise<void> {
    await (value === null ? this._settings?.remove(name) : this._settings?.set(name, value));
  }

  private _settings: ISettingsPort | null = null;
  private readonly _changed = new Signal<this, void>(this);
}

/** A value of an option among what JSON can hold; null: it is none. */
export function choice(value: unknown): Choice | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return names(value);
}

/** A list of names; null: it is none. */
export function names(value: unknown): string[] | null {
  return Array.isArray(value) && value.every(each => typeof each === 'string') ? value : null;
}
