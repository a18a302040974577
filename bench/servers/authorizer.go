package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// Settings are what the authorizer decides by: the same issuer, audience, keys
// and rules as the other chains.
type settings struct {
	Issuer       string          `json:"issuer"`
	Audience     string          `json:"audience"`
	Scope        string          `json:"scope"`
	Tools        []string        `json:"tools"`
	CacheEntries int             `json:"cache_entries"`
	Keys         json.RawMessage `json:"keys"`
}

// An authorizer of the kind that is written for ext_authz: it verifies the
// token, remembers what it has verified, reads the message, and looks the tool up.
type authorizer struct {
	auth.UnimplementedAuthorizationServer
	settings settings
	tools    map[string]bool
	keys     map[string]any
	parser   *jwt.Parser

	mutex    sync.Mutex
	verified map[[sha256.Size]byte]claims
}

type claims struct {
	jwt.RegisteredClaims
	Scope    string `json:"scope"`
	ClientID string `json:"client_id"`
}

type message struct {
	Method string `json:"method"`
	Params struct {
		Name string `json:"name"`
	} `json:"params"`
}

func serveAuthorizer(address, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	service := &authorizer{tools: map[string]bool{}, verified: map[[sha256.Size]byte]claims{}}
	if err := json.Unmarshal(text, &service.settings); err != nil {
		return err
	}
	if service.keys, err = publicKeys(service.settings.Keys); err != nil {
		return err
	}
	for _, tool := range service.settings.Tools {
		service.tools[tool] = true
	}
	service.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "ES256", "EdDSA"}),
		jwt.WithIssuer(service.settings.Issuer),
		jwt.WithAudience(service.settings.Audience),
		jwt.WithExpirationRequired(),
	)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, service)
	return server.Serve(listener)
}

// Check decides on one request.
func (service *authorizer) Check(_ context.Context, asked *auth.CheckRequest) (*auth.CheckResponse, error) {
	request := asked.GetAttributes().GetRequest().GetHttp()
	token, isBearer := strings.CutPrefix(request.GetHeaders()["authorization"], "Bearer ")
	if !isBearer {
		return denied(envoytype.StatusCode_Unauthorized, "no token"), nil
	}
	caller, err := service.verify(token)
	if err != nil {
		return denied(envoytype.StatusCode_Unauthorized, "invalid token"), nil
	}
	var call message
	body := request.GetRawBody()
	if len(body) == 0 {
		body = []byte(request.GetBody())
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return denied(envoytype.StatusCode_BadRequest, "no message"), nil
	}
	hasScope := slices.Contains(strings.Fields(caller.Scope), service.settings.Scope)
	if !hasScope || (call.Method == "tools/call" && !service.tools[call.Params.Name]) {
		return denied(envoytype.StatusCode_Forbidden, "not allowed"), nil
	}
	return allowed(caller, call)
}

// verify says whose token it is, from memory where it can.
func (service *authorizer) verify(token string) (claims, error) {
	hash := sha256.Sum256([]byte(token))
	service.mutex.Lock()
	known, found := service.verified[hash]
	service.mutex.Unlock()
	if found && known.ExpiresAt.After(time.Now()) {
		return known, nil
	}
	var read claims
	_, err := service.parser.ParseWithClaims(token, &read, func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		if key, found := service.keys[id]; found {
			return key, nil
		}
		return nil, fmt.Errorf("unknown key")
	})
	if err != nil {
		return claims{}, err
	}
	service.mutex.Lock()
	defer service.mutex.Unlock()
	if len(service.verified) >= service.settings.CacheEntries {
		clear(service.verified)
	}
	service.verified[hash] = read
	return read, nil
}

func allowed(caller claims, call message) (*auth.CheckResponse, error) {
	metadata, err := structpb.NewStruct(map[string]any{
		"subject": caller.Subject,
		"client":  caller.ClientID,
		"method":  call.Method,
		"tool":    call.Params.Name,
	})
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			HeadersToRemove: []string{"authorization"},
		}},
		DynamicMetadata: metadata,
	}, err
}

func denied(code envoytype.StatusCode, why string) *auth.CheckResponse {
	challenge := &core.HeaderValueOption{Header: &core.HeaderValue{Key: "www-authenticate", Value: "Bearer"}}
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status:  &envoytype.HttpStatus{Code: code},
			Headers: []*core.HeaderValueOption{challenge},
			Body:    why,
		}},
	}
}
