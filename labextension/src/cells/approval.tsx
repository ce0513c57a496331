/**
 * The bar above a step that waits: run it, refuse it with a reason, approve the rest, stop the run.
 *
 * Rule: it asks the kernel and draws; whether a step waits is in the cell's metadata. Running the cell in any way
 * approves it, this bar is one of them.
 */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import * as React from 'react';

/** What can be done about a step that waits, named by its cell's id. */
export interface IApproval {
  /** Whether the kernel knows this cell; one of a session that is gone waits for nobody. */
  isLive(cell: string): boolean;
  /** Execute the cell as it is. */
  run(cell: string): void;
  /** Ask the kernel; rejects with a sentence for the user. */
  request(verb: string, fields: Record<string, string>): Promise<unknown>;
}

interface IProps {
  cell: string;
  step: number;
  concerns: readonly string[];
  approval: IApproval;
}

/** A toolbar with what the checks found above it. */
export function ApprovalBar(props: IProps): React.ReactElement {
  const { cell, step, concerns, approval } = props;
  return (
    <div className="codeact-Approval">
      {concerns.map(concern => (
        <p className="codeact-Approval-concern" key={concern}>
          {concern}
        </p>
      ))}
      <div
        className="codeact-Approval-bar"
        role="toolbar"
        aria-label={`Step ${String(step)} waits for your approval`}
      >
        <Button
          label="Run"
          title="Run the code as it is in the cell (Shift+Enter)"
          isMain
          onClick={() => {
            approval.run(cell);
          }}
        />
        <Button
          label="Reject…"
          title="Do not run it, and tell the agent why"
          onClick={() => void reject(approval, cell, step)}
        />
        <Button
          label="Run, and Approve the Rest"
          title="Run this step, and do not ask about the further steps of this run"
          onClick={() => void approveRest(approval, cell)}
        />
        <Button
          label="Stop Here"
          title="End the run; everything done so far is kept"
          onClick={() => void ask(approval, 'stop', {})}
        />
      </div>
    </div>
  );
}

function Button(props: {
  label: string;
  title: string;
  isMain?: boolean;
  onClick: () => void;
}): React.ReactElement {
  return (
    <button
      type="button"
      className="codeact-Approval-button"
      data-main={props.isMain ?? false}
      title={props.title}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}

async function reject(approval: IApproval, cell: string, step: number): Promise<void> {
  const answer = await InputDialog.getText({
    title: `Reject step ${String(step)}`,
    label: 'What should the agent do instead?',
    placeholder: 'Leave this empty to give no reason',
    okLabel: 'Reject'
  });
  if (answer.button.accept) {
    await ask(approval, 'reject', { cell, reason: answer.value ?? '' });
  }
}

async function approveRest(approval: IApproval, cell: string): Promise<void> {
  if (await ask(approval, 'approve_rest', { cell })) {
    approval.run(cell);
  }
}

/** Whether the kernel did it; if not, the user is told why. */
async function ask(
  approval: IApproval,
  verb: string,
  fields: Record<string, string>
): Promise<boolean> {
  try {
    await approval.request(verb, fields);
    return true;
  } catch (problem) {
    Notification.warning(problem instanceof Error ? problem.message : String(problem));
    return false;
  }
}
