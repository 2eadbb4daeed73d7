//! A connection: the greeting, and requests over it.

use async_trait::async_trait;
use overnight_ports::mcp::{CallError, Connection, Greeting, NoConnection, ServerTool, ToolAnswer};
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest,
    ElicitRequestParams, ElicitResult, ErrorCode, ErrorData, Implementation, ListToolsRequest,
    PaginatedRequestParams, ProtocolVersion, ServerResult,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, RequestContext, RoleClient,
    RunningService, ServiceError,
};
use rmcp::transport::Transport;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::answer;
use crate::limits::{ANSWER_BYTES_MAX, Allowance, Guarded};

/// How many pages a server may cut its list of tools into.
const PAGES_MAX: usize = 50;
/// How much of an error's text is taken over, bytes.
const ERROR_BYTES_MAX: usize = 2 * 1024;

/// What the harness is to a server: somebody who gives nothing. It advertises no capability, and what is asked for all
/// the same (a model, a person's answer, folders) is refused.
struct Nobody;

impl ClientHandler for Nobody {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("overnight", env!("CARGO_PKG_VERSION")),
        )
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    // Servers of before its deprecation ask for it.
    #[allow(deprecated)]
    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::ListRootsResult, ErrorData> {
        Err(refusal("roots/list"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(refusal("elicitation/create"))
    }
}

fn refusal(method: &'static str) -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None)
}

pub(crate) struct Session {
    service: RunningService<RoleClient, Nobody>,
    allowance: Allowance,
    /// To be taken out of whatever the server says.
    token: Option<SecretString>,
}

impl Session {
    pub async fn open<T>(
        transport: T,
        greeting: Greeting,
        allowance: Allowance,
        token: Option<SecretString>,
    ) -> Result<Session, NoConnection>
    where
        T: Transport<RoleClient> + 'static,
    {
        let lifecycle = match greeting {
            Greeting::Initialize => ClientLifecycleMode::Initialize,
            Greeting::Discover => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::LATEST],
            },
        };
        let guarded = Guarded::new(transport, allowance.clone());
        match Nobody.serve_with_lifecycle(guarded, lifecycle).await {
            Ok(service) => Ok(Session {
                service,
                allowance,
                token,
            }),
            Err(error) => {
                let message = if allowance.used_up() {
                    too_much()
                } else {
                    scrub(&initialize_error(&error), token.as_ref())
                };
                let refused = matches!(
                    error,
                    ClientInitializeError::JsonRpcError(_)
                        | ClientInitializeError::NoCompatibleProtocolVersion { .. }
                );
                Err(NoConnection { message, refused })
            }
        }
    }

    async fn ask(&self, request: ClientRequest) -> Result<ServerResult, CallError> {
        self.allowance.renew();
        let result = self.service.send_request(request).await;
        result.map_err(|error| match error {
            ServiceError::McpError(error) => CallError::Refused(
                self.scrub(&format!("error {}: {}", error.code.0, error.message)),
            ),
            _ if self.allowance.used_up() => CallError::Lost(too_much()),
            ServiceError::TransportClosed => CallError::Lost("it closed the connection".to_owned()),
            ServiceError::TransportSend(error) => {
                CallError::Lost(self.scrub(&causes(error.error.as_ref())))
            }
            other => CallError::Lost(self.scrub(&other.to_string())),
        })
    }

    fn scrub(&self, text: &str) -> String {
        scrub(text, self.token.as_ref())
    }

    fn clean(&self, text: String) -> String {
        redact(&text, self.token.as_ref()).unwrap_or(text)
    }
}

#[async_trait]
impl Connection for Session {
    async fn tools(&self) -> Result<Vec<ServerTool>, CallError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let request = ListToolsRequest {
                method: Default::default(),
                params: Some(params),
                extensions: Default::default(),
            };
            let page = match self.ask(ClientRequest::ListToolsRequest(request)).await? {
                ServerResult::ListToolsResult(page) => page,
                _ => {
                    return Err(CallError::Refused(
                        "its list of tools is not what the protocol says".to_owned(),
                    ));
                }
            };
            for tool in page.tools {
                tools.push(ServerTool {
                    name: self.clean(tool.name.into_owned()),
                    description: self.clean(tool.description.unwrap_or_default().into_owned()),
                    schema: Value::Object((*tool.input_schema).clone()),
                });
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(CallError::Refused(format!(
            "its list of tools has more than {PAGES_MAX} pages"
        )))
    }

    async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolAnswer, CallError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = CallToolRequest::new(params);
        let refused = |what: &str| Err(CallError::Refused(what.to_owned()));
        match self.ask(ClientRequest::CallToolRequest(request)).await? {
            ServerResult::CallToolResult(result) => {
                let mut answer = answer::of(result);
                answer.text = self.clean(answer.text);
                Ok(answer)
            }
            ServerResult::InputRequiredResult(_) => {
                refused("it asks for a person's input, and there is nobody to give it")
            }
            ServerResult::CreateTaskResult(_) => {
                refused("it answers with a task to be asked for later, which is not supported")
            }
            _ => refused("its answer is not what the protocol says"),
        }
    }

    fn lost(&self) -> bool {
        self.service.is_closed() || self.allowance.used_up()
    }
}

fn too_much() -> String {
    format!(
        "it sent more than {} MiB, or messages without end, and was cut off",
        ANSWER_BYTES_MAX / 1024 / 1024
    )
}

fn initialize_error(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::ConnectionClosed(_) => {
            "it closed the connection before it answered the greeting".to_owned()
        }
        ClientInitializeError::JsonRpcError(error) => {
            format!(
                "it refuses the greeting: error {}: {}",
                error.code.0, error.message
            )
        }
        ClientInitializeError::TransportError { error, .. } => causes(error.error.as_ref()),
        other => other.to_string(),
    }
}

/// An error with what caused it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// A text of a server's, in one bounded line and without the token.
fn scrub(text: &str, token: Option<&SecretString>) -> String {
    let text = redact(text, token).unwrap_or_else(|| text.to_owned());
    let mut text = text.replace(char::is_control, " ");
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The text without the token; `None` if it is not in it.
fn redact(text: &str, token: Option<&SecretString>) -> Option<String> {
    let token = token?.expose_secret();
    text.contains(token).then(|| text.replace(token, "[token]"))
}
