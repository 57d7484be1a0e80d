// Command gcs serves fake-gcs-server on a free port of loopback and says where.
//
// fake-gcs-server speaks the JSON API of Google Cloud Storage and part of its XML API; Stoa's client speaks the XML
// API. What is missing there (PUT of an object, its generation condition, the answer about a missing bucket) is put
// in the words of the JSON API here; storing, conditions, ranges, listings and removals are fake-gcs-server's.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gcs BUCKET")
	}
	if err := serve(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(bucket string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: address})
	if err != nil {
		return err
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	fmt.Printf("listening on %s\n", address)
	return http.Serve(listener, translate(server.HTTPHandler(), bucket))
}

// translate hands requests to next, those of the XML API that next does not know in the words of the JSON API.
func translate(next http.Handler, known string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, object, isObject := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		if bucket != known {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>")
			return
		}
		if !isObject || r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		name, err := url.PathUnescape(object)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		put(w, r, next, bucket, name)
	})
}

// put uploads the body of r as an object, under the condition that r has.
func put(w http.ResponseWriter, r *http.Request, next http.Handler, bucket, name string) {
	query := url.Values{"uploadType": {"media"}, "name": {name}}
	if generation := r.Header.Get("x-goog-if-generation-match"); generation != "" {
		query.Set("ifGenerationMatch", generation)
	}
	target := "/upload/storage/v1/b/" + bucket + "/o?" + query.Encode()
	upload := httptest.NewRequestWithContext(r.Context(), http.MethodPost, target, r.Body)
	upload.Host = r.Host
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, upload)
	if answer.Code == http.StatusOK {
		var stored struct {
			Etag       string `json:"etag"`
			Generation string `json:"generation"`
		}
		if err := json.NewDecoder(bytes.NewReader(answer.Body.Bytes())).Decode(&stored); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("ETag", stored.Etag)
		w.Header().Set("x-goog-generation", stored.Generation)
	}
	w.WriteHeader(answer.Code)
	if _, err := w.Write(answer.Body.Bytes()); err != nil {
		log.Printf("answer to PUT %s: %v", name, err)
	}
}
