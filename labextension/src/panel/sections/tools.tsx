/**
 * What code of the agent may call, each with a switch: a part of section Settings.
 *
 * Rule: what is off is not offered to the model, and a step that uses it is refused before it runs. Names that
 * are switched off stay in the list where the notebook does not have them, so that they can be switched on.
 */
import * as React from 'react';

import type { ITool } from '../answers';
import type { IPart } from '../state';

interface IProps {
  tools: IPart<ITool[]>;
  /** What the kernel's user has switched off in its configuration. */
  configured: string[];
  /** What is switched off here; null: it is left to the configuration. */
  off: string[] | null;
  set: (off: string[] | null) => void;
}

export function ToolsView({ tools, configured, off, set }: IProps): React.ReactElement {
  const now = off ?? configured;
  const toggle = (name: string): void => {
    const next = now.includes(name) ? now.filter(each => each !== name) : [...now, name];
    set(isSame(next, configured) ? null : next);
  };
  return (
    <fieldset className="codeact-Tools" aria-busy={tools.loading}>
      <legend>Tools</legend>
      {listed(tools.value ?? [], now).map(tool => (
        <label key={tool.name} className="codeact-Tool" title={tool.about}>
          <input
            type="checkbox"
            role="switch"
            checked={!tool.off && !now.includes(tool.name)}
            disabled={tool.off}
            onChange={() => {
              toggle(tool.name);
            }}
          />
          <span className="codeact-Tool-name">{`${tool.name}${tool.signature}`}</span>
          <span className="codeact-Facts">
            {tool.off ? 'The profile of this kernel does not allow it.' : tool.about}
          </span>
        </label>
      ))}
      <p className="codeact-Note">
        {tools.problem
          ? `The functions of this notebook are not known now: ${tools.problem}`
          : 'Functions you define in this notebook are offered to the agent, too.'}
      </p>
    </fieldset>
  );
}

/** The tools, and names that are switched off and that this notebook does not have. */
export function listed(tools: readonly ITool[], off: readonly string[]): ITool[] {
  const known = new Set(tools.map(tool => tool.name));
  const others = off.filter(name => !known.has(name));
  return [
    ...tools,
    ...others.map(name => ({ name, signature: '', about: 'Not in this notebook.', off: false }))
  ];
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every(name => other.includes(name));
}
