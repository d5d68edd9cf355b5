package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// provider is the `spec` of a Provider object.
type provider struct {
	URL string `json:"url"`
	// Base64 of PEM.
	CABundle string `json:"caBundle"`
	// Whole seconds.
	Timeout int `json:"timeout"`
}

type item struct {
	Key   any    `json:"key"`
	Value any    `json:"value"`
	Error string `json:"error"`
}

type providerResponse struct {
	Response struct {
		Items       []item `json:"items"`
		SystemError string `json:"systemError"`
	} `json:"response"`
}

// external is what Rego sees.
type external struct {
	Responses   [][]any `json:"responses"`
	Errors      [][]any `json:"errors"`
	StatusCode  int     `json:"status_code"`
	SystemError string  `json:"system_error"`
}

type cacheKey struct {
	provider string
	// As JSON, since a provider may answer with keys of any shape.
	key string
}

type cached struct {
	item item
	at   time.Time
}

// By provider and key and nothing else, with the errors of items, for as long as the process lives.
var cache = map[cacheKey]cached{}

// externalData answers as Gatekeeper's builtin: a failure of the request is a system error, and an argument of another
// shape makes the call undefined.
func (q question) externalData(ctx context.Context, argument *ast.Term, result *answer) (*ast.Term, error) {
	asked := struct {
		Provider string   `json:"provider"`
		Keys     []string `json:"keys"`
	}{}
	if err := ast.As(argument.Value, &asked); err != nil {
		return nil, err
	}
	seen := external{Responses: [][]any{}, Errors: [][]any{}}
	items, missing := q.fromCache(asked.Provider, asked.Keys)
	if len(missing) > 0 {
		response, status, err := q.ask(ctx, asked.Provider, missing)
		if err != nil {
			items = nil
			response = &providerResponse{}
			response.Response.SystemError = err.Error()
		}
		for _, one := range response.Response.Items {
			cache[keyOf(asked.Provider, one.Key)] = cached{one, time.Now()}
		}
		items = append(items, response.Response.Items...)
		seen.StatusCode, seen.SystemError = status, response.Response.SystemError
	}
	for _, one := range items {
		if one.Error == "" {
			seen.Responses = append(seen.Responses, []any{one.Key, one.Value})
		} else {
			seen.Errors = append(seen.Errors, []any{one.Key, one.Error})
		}
	}
	result.External = append(result.External, seen)
	encoded, err := json.Marshal(seen)
	if err != nil {
		return nil, err
	}
	value, err := ast.ValueFromReader(bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	return ast.NewTerm(value), nil
}

func keyOf(provider string, key any) cacheKey {
	encoded, _ := json.Marshal(key) // it was read from JSON
	return cacheKey{provider, string(encoded)}
}

func (q question) fromCache(name string, keys []string) (found []item, missing []string) {
	lifetime := time.Duration(q.CacheSeconds) * time.Second
	for _, key := range keys {
		kept, isThere := cache[keyOf(name, key)]
		if !isThere || lifetime == 0 || time.Since(kept.at) > lifetime {
			missing = append(missing, key)
		} else {
			found = append(found, item{Key: key, Value: kept.item.Value, Error: kept.item.Error})
		}
	}
	return found, missing
}

func (q question) ask(ctx context.Context, name string, keys []string) (*providerResponse, int, error) {
	provider, isThere := q.Providers[name]
	if !isThere {
		return nil, http.StatusBadRequest, fmt.Errorf("key is not found in provider cache: %s", name)
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "externaldata.gatekeeper.sh/v1beta1",
		"kind":       "ProviderRequest",
		"request":    map[string]any{"keys": keys},
	})
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	client, err := provider.client()
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(provider.Timeout)*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, provider.URL, bytes.NewReader(body))
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	defer func() { _ = response.Body.Close() }()
	bytes, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	answered := &providerResponse{}
	if err := json.Unmarshal(bytes, answered); err != nil {
		return nil, http.StatusInternalServerError, err
	}
	return answered, response.StatusCode, nil
}

// client trusts the Provider's own authorities alone, and speaks nothing older than TLS 1.3.
func (p provider) client() (*http.Client, error) {
	if !strings.HasPrefix(p.URL, "https://") {
		return nil, errors.New("only HTTPS scheme is supported")
	}
	bundle, err := base64.StdEncoding.DecodeString(p.CABundle)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, errors.New("failed to append provider's CA bundle to certificate pool")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}, nil
}
