/**
 * Section Settings: the options runs start with, saved as settings of JupyterLab.
 *
 * Rule: an empty field leaves the option to the kernel's configuration, which it shows in grey.
 */
import * as React from 'react';

import { Trouble } from '../pieces';
import { choice, names } from '../preferences';
import type { Choice, Option, Options } from '../preferences';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { ToolsView } from './tools';

export interface ISettingsActions {
  set(name: Option, value: Choice | null): void;
}

interface IProps {
  state: IPanelState;
  /** The options that are set here. */
  options: Options;
  areKept: boolean;
  actions: ISettingsActions;
}

interface IField {
  name: Option;
  label: string;
  hint: string;
  kind: 'text' | 'whole' | 'amount' | 'approvals' | 'switch';
}

const FIELDS: readonly IField[] = [
  {
    name: 'model',
    label: 'Model',
    hint: 'As litellm names it, for instance anthropic/claude-sonnet-4-6',
    kind: 'text'
  },
  { name: 'approve', label: 'Approve', hint: 'Ask before a step runs', kind: 'approvals' },
  { name: 'steps', label: 'Steps', hint: 'At most so many for one run', kind: 'whole' },
  { name: 'budget', label: 'Budget (USD)', hint: 'At most so much for one run', kind: 'amount' },
  { name: 'vision', label: 'Show plots to the model', hint: '', kind: 'switch' },
  {
    name: 'api_base',
    label: 'Address',
    hint: 'Of an OpenAI-compatible server; the conversation is sent there',
    kind: 'text'
  }
];

export function SettingsView(props: IProps): React.ReactElement {
  const { state, options, areKept, actions } = props;
  return (
    <form
      className="codeact-Settings"
      onSubmit={event => {
        event.preventDefault();
      }}
    >
      <Trouble sentence={troubleIn(state, 'settings')} />
      {FIELDS.map(field => (
        <Field
          key={`${field.name} ${JSON.stringify(options[field.name] ?? null)}`}
          field={field}
          value={options[field.name] ?? null}
          configured={choice(state.settings.value?.configured[field.name])}
          approvals={state.settings.value?.approvals ?? ['never', 'ask', 'risky']}
          set={value => {
            actions.set(field.name, value);
          }}
        />
      ))}
      <ToolsView
        tools={state.tools}
        configured={names(state.settings.value?.configured.without) ?? []}
        off={names(options.without)}
        set={off => {
          actions.set('without', off);
        }}
      />
      <p className="codeact-Note">
        {areKept
          ? 'Saved as settings of JupyterLab, for all notebooks, from the next run on. What is written in a cell can only narrow them.'
          : 'This application keeps no settings.'}
      </p>
    </form>
  );
}

interface IFieldProps {
  field: IField;
  value: Choice | null;
  configured: Choice | null;
  approvals: string[];
  set: (value: Choice | null) => void;
}

function Field(props: IFieldProps): React.ReactElement {
  const { field, value, configured, approvals, set } = props;
  const id = `codeact-setting-${field.name}`;
  const choices = field.kind === 'approvals' ? approvals : ['true', 'false'];
  return (
    <div className="codeact-Field">
      <label htmlFor={id}>{field.label}</label>
      {field.kind === 'approvals' || field.kind === 'switch' ? (
        <select
          id={id}
          className="codeact-Input"
          title={field.hint}
          value={value === null ? '' : String(value)}
          onChange={event => {
            set(chosen(field, event.target.value));
          }}
        >
          <option value="">{`as configured${shown(configured)}`}</option>
          {choices.map(each => (
            <option key={each} value={each}>
              {field.kind === 'switch' ? (each === 'true' ? 'yes' : 'no') : each}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className="codeact-Input"
          title={field.hint}
          inputMode={field.kind === 'text' ? 'text' : 'decimal'}
          placeholder={placeholder(configured)}
          defaultValue={value === null ? '' : String(value)}
          onBlur={event => {
            const next = chosen(field, event.target.value);
            if (next !== value) {
              set(next);
            }
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.currentTarget.blur();
            }
          }}
        />
      )}
    </div>
  );
}

/** The option's value for what was typed; null: none. A number that is none is left to the kernel to refuse. */
export function chosen(field: Pick<IField, 'kind'>, typed: string): Choice | null {
  const text = typed.trim();
  if (text === '') {
    return null;
  }
  if (field.kind === 'switch') {
    return text === 'true';
  }
  if (field.kind === 'whole' || field.kind === 'amount') {
    const value = Number(text.replace(/^\$/, ''));
    return Number.isFinite(value) ? value : text;
  }
  return text;
}

function placeholder(configured: Choice | null): string {
  return configured === null || configured === ''
    ? 'not set'
    : `${String(configured)} (configured)`;
}

function shown(configured: Choice | null): string {
  if (configured === null || configured === '') {
    return '';
  }
  const word = configured === true ? 'yes' : configured === false ? 'no' : String(configured);
  return ` (${word})`;
}
