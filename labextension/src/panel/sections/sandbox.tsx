/**
 * Section Sandbox: what holds the code, how much of its limits it uses, the network, trust in displays.
 *
 * Rule: what is weaker than namespaces, or trusted, is said here as in every other place it is shown.
 */
import * as React from 'react';

import { GRADES, TRUSTED } from '../../describe';
import type { IConnected } from '../../tokens';
import type { INetwork, INetworkRequest, ISandbox } from '../answers';
import { Empty, Meter, Trouble } from '../pieces';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { bytes, duration, plural, reading } from '../words';

export interface ISandboxActions {
  trust(display: boolean): void;
}

interface IProps {
  state: IPanelState;
  actions: ISandboxActions;
}

const MODES: Readonly<Record<string, string>> = {
  cow: 'What steps write in the notebook’s folder is staged until you keep it.',
  ro: 'The notebook’s folder is read-only for code.',
  rw: 'What code writes is in the notebook’s folder at once.'
};

export function SandboxView({ state, actions }: IProps): React.ReactElement {
  const connection = state.connection;
  if (connection.status !== 'connected') {
    return <Empty text="There is no sandbox yet." />;
  }
  const value = state.sandbox.value;
  return (
    <div className="codeact-Sandbox">
      <Grade connection={connection} />
      <Trouble sentence={troubleIn(state, 'sandbox') || state.sandbox.problem} />
      {value && <Limits sandbox={value} />}
      {value && <Network network={value.network} />}
      <Trust connection={connection} trust={actions.trust} />
    </div>
  );
}

function Grade({ connection }: { connection: IConnected }): React.ReactElement {
  return (
    <div className="codeact-Grade" data-grade={connection.grade}>
      <p>
        <strong>{connection.grade}</strong> — {GRADES[connection.grade] ?? ''}
      </p>
      {connection.notes.length > 0 && (
        <ul className="codeact-Notes">
          {connection.notes.map(note => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Limits({ sandbox }: { sandbox: ISandbox }): React.ReactElement {
  const { stepSeconds, cellSeconds } = sandbox;
  return (
    <div className="codeact-Limits">
      {sandbox.readings.map(each => (
        <Meter
          key={each.name}
          label={each.name}
          used={each.used}
          limit={each.limit}
          words={reading(each)}
        />
      ))}
      <ul className="codeact-Notes">
        <li>
          {stepSeconds === null
            ? 'Steps of the agent may run as long as they like.'
            : `A step of the agent may run for ${duration(stepSeconds)}.`}{' '}
          {cellSeconds === null ? '' : `A cell of yours for ${duration(cellSeconds)}.`}
        </li>
        <li>{MODES[sandbox.workspaceMode] ?? sandbox.workspaceMode}</li>
        {!sandbox.readings.length && <li>Memory, processes and disk are not limited.</li>}
      </ul>
    </div>
  );
}

function Network({ network }: { network: INetwork | null }): React.ReactElement {
  if (!network) {
    return <p className="codeact-Note">Code has no network.</p>;
  }
  return (
    <div className="codeact-Network">
      <p className="codeact-Note">
        {`Code may reach ${network.hosts.join(', ')}. ${bytes(network.bytes)} were exchanged.`}
      </p>
      {network.requests.length > 0 && (
        <details className="codeact-Details">
          <summary>{plural(network.requests.length, 'request')}</summary>
          <ul className="codeact-Requests">
            {[...network.requests].reverse().map((request, at) => (
              <li key={at} data-refused={request.problem ? true : undefined}>
                {requestLine(request)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function requestLine(request: INetworkRequest): string {
  const place = `${request.host}:${String(request.port)}${request.path}`;
  const what = request.problem || `${bytes(request.received)} received`;
  const who = request.step ? `step ${String(request.step)} · ` : '';
  return `${who}${request.method} ${place} · ${what}`;
}

function Trust(props: {
  connection: IConnected;
  trust: (display: boolean) => void;
}): React.ReactElement {
  const { trusted } = props.connection;
  return (
    <div className="codeact-Trust">
      <label className="codeact-Row">
        <input
          type="checkbox"
          role="switch"
          checked={trusted}
          aria-checked={trusted}
          onChange={() => {
            props.trust(!trusted);
          }}
        />
        Trust display
      </label>
      <p className="codeact-Note">
        {trusted
          ? TRUSTED
          : 'What code shows is cleaned of script and of everything that loads from elsewhere.'}
      </p>
    </div>
  );
}
