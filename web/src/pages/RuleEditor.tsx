export function RuleEditor() { return <div>RuleEditor</div> }
