/**
 * Section Variables: what the notebook holds, which step changed it, what is inside, another value.
 *
 * Rule: everything shown here came from the sandbox and is text; nothing of it is ever markup.
 */
import * as React from 'react';

import type { IVariable } from '../answers';
import { Empty, Outdated, Trouble, Unknown } from '../pieces';
import { lastChange } from '../run';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { number } from '../words';
import { PageView } from './page';

export interface IVariablesActions {
  look(name: string, row?: number, column?: number): void;
  closeLook(): void;
  setVariable(name: string, type: string, text: string): Promise<boolean>;
}

interface IProps {
  state: IPanelState;
  actions: IVariablesActions;
}

const SIMPLE = new Set(['int', 'float', 'str', 'bool']);

export function VariablesView({ state, actions }: IProps): React.ReactElement {
  const { value, loading, problem } = state.variables;
  if (state.look) {
    return <PageView look={state.look} actions={actions} />;
  }
  if (!value) {
    return <Unknown problem={problem} loading={loading} />;
  }
  if (!value.length) {
    return <Empty text="No variable is defined in this notebook yet." />;
  }
  return (
    <div className="codeact-Variables" aria-busy={loading}>
      <Trouble sentence={troubleIn(state, 'variables')} />
      <Outdated problem={problem} />
      <table className="codeact-Table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col" className="codeact-Variables-size">
              Size
            </th>
            <th scope="col">Value</th>
            <th
              scope="col"
              className="codeact-Variables-step"
              title="The step of the last run that made or changed it"
              aria-label="Step"
            >
              #
            </th>
          </tr>
        </thead>
        <tbody>
          {value.map(variable => (
            <tr key={variable.name}>
              <th scope="row" className="codeact-Variables-name" title={variable.name}>
                {variable.name}
              </th>
              <td className="codeact-Variables-type" title={measures(variable)}>
                {variable.type}
                {variable.shape && ` ${variable.shape}`}
              </td>
              <td className="codeact-Variables-size">{variable.size}</td>
              <td className="codeact-Variables-value">
                <Value variable={variable} actions={actions} />
              </td>
              <td className="codeact-Variables-step">
                {lastChange(state.run, variable.name)?.number ?? ''}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A simple value can be edited, one with an inside looked into; others are only shown. */
function Value(props: { variable: IVariable; actions: IVariablesActions }): React.ReactElement {
  const { variable, actions } = props;
  const [editing, setEditing] = React.useState(false);
  if (editing) {
    return (
      <Editor
        variable={variable}
        actions={actions}
        close={() => {
          setEditing(false);
        }}
      />
    );
  }
  if (isEditable(variable)) {
    return (
      <button
        type="button"
        className="codeact-Value"
        title={`Change ${variable.name}`}
        onClick={() => {
          setEditing(true);
        }}
      >
        {variable.preview}
      </button>
    );
  }
  if (variable.shape || variable.size.endsWith(' items')) {
    return (
      <button
        type="button"
        className="codeact-Value"
        data-looks
        title={`Look inside ${variable.name}`}
        onClick={() => {
          actions.look(variable.name);
        }}
      >
        {variable.preview}
      </button>
    );
  }
  return <span title={variable.preview}>{variable.preview}</span>;
}

function Editor(props: {
  variable: IVariable;
  actions: IVariablesActions;
  close: () => void;
}): React.ReactElement {
  const { variable, actions, close } = props;
  const [text, setText] = React.useState(() => typed(variable));
  const save = (): void => {
    void actions.setVariable(variable.name, typeFor(variable.type, text), text).then(done => {
      if (done) {
        close();
      }
    });
  };
  return (
    <input
      className="codeact-Input codeact-Editor"
      aria-label={`${variable.name}: Enter sets the value, Escape leaves it`}
      autoFocus
      value={text}
      onChange={event => {
        setText(event.target.value);
      }}
      onBlur={close}
      onKeyDown={event => {
        if (event.key === 'Enter') {
          save();
        } else if (event.key === 'Escape') {
          close();
        }
      }}
    />
  );
}

/** A preview may be cut or have its white space joined; a text can only be edited when nothing is missing. */
export function isEditable(variable: IVariable): boolean {
  if (variable.type === 'str') {
    return variable.size === `${number(Array.from(typed(variable)).length)} characters`;
  }
  return SIMPLE.has(variable.type) && !/…|bits/.test(variable.preview);
}

/** What is typed for a value: text without its quotation marks. */
export function typed(variable: IVariable): string {
  return variable.type === 'str' ? unquoted(variable.preview) : variable.preview;
}

/** A whole number may become one with a fraction; nothing else changes its type. */
export function typeFor(type: string, text: string): string {
  return type === 'int' && !/^\s*[-+]?\d[\d_]*\s*$/.test(text) ? 'float' : type;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

function unquoted(repr: string): string {
  return repr.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

function measures(variable: IVariable): string {
  const { type, shape, dtype, size } = variable;
  return [type, shape, dtype, size].filter(Boolean).join(' · ');
}
