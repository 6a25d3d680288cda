export function Channels() { return <div>Channels</div> }
