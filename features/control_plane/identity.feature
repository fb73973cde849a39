Feature: Every service relies on the identity service

  @requirement:API-3 @observe
  Rule: A service stands in the catalogue and serves nobody who has no token

    Scenario: Every address of every service is tried without a token
      Given what the catalogue says about the services
      When every address of every service is asked with and without a token
      Then only those who show a valid token are served
