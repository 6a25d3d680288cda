export function Inbox() { return <div>Inbox</div> }
