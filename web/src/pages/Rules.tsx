export function Rules() { return <div>Rules</div> }
